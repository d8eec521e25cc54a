"""The early window: which sessions count as early."""

from dataclasses import dataclass

from alliance_longitudinal.errors import StudyError


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Sessions ``first`` to ``last``, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first < 0 or self.last < self.first:
            raise StudyError(
                f"The early window {self.first},{self.last} is not a range of sessions. Give the "
                "first and the last session, such as 1,5, or one session, such as 3."
            )

    @classmethod
    def parse(cls, value: object) -> "TimeWindow":
        """Read ``(1, 5)``, ``[1, 5]``, ``3``, ``"1,5"``, ``"1-5"`` or ``"3"``.

        Raises
        ------
        StudyError
            If it is none of these.
        """
        if isinstance(value, TimeWindow):
            return value
        parts: object = value
        if isinstance(value, str):
            parts = value.strip("()[] ").replace("-", ",").replace(" to ", ",").split(",")
        if isinstance(parts, int) and not isinstance(parts, bool):
            parts = [parts]
        try:
            numbers = [int(str(p).strip()) for p in parts]  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) not in (1, 2):
            raise StudyError(
                f"The early window {value!r} cannot be read. Give the first and the last session, "
                "such as 1,5, or one session, such as 3."
            )
        return cls(numbers[0], numbers[-1])

    @property
    def sessions(self) -> int:
        """Number of sessions in the window."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"session {self.first}" if self.sessions == 1 else f"sessions {self.first} to {self.last}"
