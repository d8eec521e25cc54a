"""What a user states about the residuals: `AR1`, `CAR1`, `VarIdent`."""

from dataclasses import dataclass

from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class AR1:
    """Residuals of one innermost group form an autoregressive series over whole-numbered positions.

    The correlation of two rows is ``phi ** |difference of their positions|`` with ``-1 < phi < 1``; positions may have
    gaps.

    Attributes
    ----------
    order : str
        Column of the positions: whole numbers, unique within an innermost group.
    strata : str, optional
        Column of strata with separate residual variances, as in `VarIdent`.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"y": [3.0, 4, 4, 8, 7, 7, 2, 3, 1], "visit": [1, 2, 3] * 3, "g": list("aaabbbccc")})
    >>> res = MixedModel.from_formula("y ~ 1 + (1 | g)", data, residual=AR1("visit")).fit()
    >>> res.residual_parameters["name"].tolist()
    ['phi']
    """

    order: str
    strata: str | None = None

    def __post_init__(self) -> None:
        _names(self, order=self.order, strata=self.strata)


@dataclass(frozen=True, slots=True)
class CAR1:
    """Residuals of one innermost group form an autoregressive series in continuous time.

    The correlation of two rows is ``phi ** |difference of their times|`` with ``0 <= phi < 1``; phi is the
    correlation one unit of time apart.

    Attributes
    ----------
    time : str
        Column of the times: numbers, unique within an innermost group.
    strata : str, optional
        Column of strata with separate residual variances, as in `VarIdent`.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"y": [3.0, 4, 4, 8, 7, 7, 2, 3, 1], "day": [0, 6, 15, 0, 9, 20, 0, 7, 14], "g": list("aaabbbccc")})
    >>> res = MixedModel.from_formula("y ~ 1 + (1 | g)", data, residual=CAR1("day")).fit()
    >>> res.residual_parameters["name"].tolist()
    ['phi']
    """

    time: str
    strata: str | None = None

    def __post_init__(self) -> None:
        _names(self, time=self.time, strata=self.strata)


@dataclass(frozen=True, slots=True)
class VarIdent:
    """A separate residual variance in each stratum of the rows.

    The first stratum (in sorted order, or in the order of the categories) is the reference: its variance is the fit's
    ``scale``, and the parameters are the others' standard deviations divided by the reference's.

    Attributes
    ----------
    strata : str
        Column of the strata.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"y": [3.0, 4, 4, 9, 7, 6, 2, 5, 1], "rater": list("ABAABBABA"), "g": list("aaabbbccc")})
    >>> res = MixedModel.from_formula("y ~ 1 + (1 | g)", data, residual=VarIdent("rater")).fit()
    >>> res.residual_parameters["name"].tolist()
    ['sd(B)/sd(A)']
    """

    strata: str

    def __post_init__(self) -> None:
        _names(self, strata=self.strata)


Structure = AR1 | CAR1 | VarIdent


def check_structure(residual: object) -> Structure | None:
    """Return a residual structure, or None for independent residuals.

    Raises
    ------
    FitError
        It is something else.
    """
    if residual is None or isinstance(residual, AR1 | CAR1 | VarIdent):
        return residual
    if isinstance(residual, list | tuple):
        raise FitError(
            "residual takes one structure, not a list. Correlated residuals with a variance in every stratum are "
            "written al.AR1('order', strata='column') or al.CAR1('time', strata='column')."
        )
    raise FitError(
        f"residual={residual!r} is not available; there is None (independent residuals), al.AR1('order'), "
        "al.CAR1('time') and al.VarIdent('column')."
    )


def columns_of(structure: Structure | None) -> tuple[str, ...]:
    """Columns that a structure reads."""
    if structure is None:
        return ()
    return tuple(name for name in (position_of(structure), structure.strata) if name is not None)


def position_of(structure: Structure) -> str | None:
    """Column of the positions or times; None without correlation."""
    if isinstance(structure, AR1):
        return structure.order
    return structure.time if isinstance(structure, CAR1) else None


def in_words(structure: Structure) -> str:
    """The structure as it is written, such as ``CAR1('time')``."""
    parts = [repr(name) for name in (position_of(structure),) if name is not None]
    if structure.strata is not None:
        parts.append(f"strata={structure.strata!r}" if parts else repr(structure.strata))
    return f"{type(structure).__name__}({', '.join(parts)})"


def _names(structure: object, **columns: object) -> None:
    for argument, value in columns.items():
        if value is None and argument == "strata" and not isinstance(structure, VarIdent):
            continue
        if not isinstance(value, str) or not value:
            raise FitError(
                f"{type(structure).__name__} takes the name of a column as {argument}, not {value!r}. Write for "
                f"example al.{type(structure).__name__}('{argument}')."
            )
