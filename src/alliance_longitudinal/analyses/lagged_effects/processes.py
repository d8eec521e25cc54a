"""What is related to what: the processes, the two directions, and every arrow of the model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Columns and labels of the processes; ``z`` is a third one, ``held`` are the columns of covariates that do not change."""

    a: str
    y: str
    a_label: str
    y_label: str
    z: str | None = None
    z_label: str = ""
    held: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of effect: its short name in ids, what leads and what follows, and the unit of its effect."""

    key: str
    lead: str
    follow: str
    effect: str
    own: str
    own_key: str
    unit: str
    lead_label: str
    follow_label: str

    @property
    def words(self) -> str:
        """What leads to what."""
        return f"{self.lead_label} to {self.follow_label}"

    @property
    def own_unit(self) -> str:
        """Unit of the carry-over of what follows."""
        return f"{self.follow_label} points per {self.follow_label} point"

    def said(self, title: str) -> str:
        """An estimator's effect in this direction."""
        return f"{title}: {self.words}"


def directions(names: Names) -> tuple[Direction, Direction]:
    """Alliance before outcome, and the reverse."""
    return (
        Direction(
            "a_to_y",
            names.a,
            names.y,
            "x_to_y",
            "ar_y",
            "ar_y",
            f"{names.y_label} points per {names.a_label} point",
            names.a_label,
            names.y_label,
        ),
        Direction(
            "y_to_a",
            names.y,
            names.a,
            "y_to_x",
            "ar_x",
            "ar_a",
            f"{names.a_label} points per {names.y_label} point",
            names.y_label,
            names.a_label,
        ),
    )


@dataclass(frozen=True, slots=True)
class Path:
    """One arrow of the model: its end in ids, its parameter, and the labels of what leads and what follows."""

    key: str
    effect: str
    lead: str
    follow: str

    @property
    def words(self) -> str:
        """The effect in words."""
        if self.lead == self.follow:
            return f"Carry-over of {self.lead} from one session to the next"
        return f"{self.lead} to {self.follow}"


def paths(names: Names) -> list[Path]:
    """Every effect of the model from one session to the next: carry-over first."""
    known = [("a", "x", names.a_label), ("y", "y", names.y_label)]
    known += [("z", "z", names.z_label)] if names.z is not None else []
    own = [Path(f"ar_{key}", f"ar_{letter}", label, label) for key, letter, label in known]
    return own + [
        Path(f"{k}_to_{to}", f"{letter}_to_{at}", label, follow)
        for k, letter, label in known
        for to, at, follow in known
        if k != to
    ]
