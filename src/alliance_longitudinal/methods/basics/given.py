"""Numbers that several methods are given, each with its limits and the words of its message."""

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.values import real, several, whole


def effect_to_find(value: object, name: str = "effect") -> float:
    """An effect that a study is to find.

    Raises
    ------
    DataError
        If it is not a finite number.
    """
    return real(name, value, "a finite number, the effect that the study is to find")


def variance(name: str, value: object, what: str = "a variance", *, zero: bool = False) -> float:
    """A variance, called ``what`` in the message; ``zero``: it may be 0.

    Raises
    ------
    DataError
        If it is not a number of at least 0, or 0 where it may not be.
    """
    if zero:
        return real(name, value, f"{what}, at least 0", least=0)
    return real(name, value, f"{what}, more than 0", above=0)


def share_of_variance(name: str, value: object) -> float:
    """A share of variance between groups, at least 0 and below 1.

    Raises
    ------
    DataError
        If it is outside these limits.
    """
    return real(name, value, "a share of variance, at least 0 and below 1", least=0, below=1)


def correlation(name: str, value: object, *, negative: bool = True) -> float:
    """A correlation below 1; ``negative``: it may be negative, above -1.

    Raises
    ------
    DataError
        If it is outside these limits.
    """
    if negative:
        return real(name, value, "a correlation, above -1 and below 1", above=-1, below=1)
    return real(name, value, "a correlation, at least 0 and below 1", least=0, below=1)


def desired_power(value: object, *, level: float = 0.0) -> float:
    """A probability of finding an effect, above the level of a two-sided test (0: whatever the level) and below 1.

    Raises
    ------
    DataError
        If it is outside these limits.
    """
    limits = "above .05 and below 1" if level else "between 0 and 1"
    return real("power", value, f"a probability {limits}, such as 0.8", above=level, below=1)


def number_of(name: str, value: object, of: str, least: int) -> int:
    """A number of therapists, groups, clients or draws.

    Raises
    ------
    DataError
        If it is not a whole number of at least ``least``.
    """
    return whole(name, value, f"a number of {of}, a whole number of at least {least}", least=least)


def different_times(values: object) -> tuple[float, ...]:
    """Times of assessments in their order.

    Raises
    ------
    DataError
        If one of them is not a finite number, or all are the same.
    """
    found = tuple(real("times", t, "finite numbers, such as weeks") for t in several(values))
    if len(set(found)) < 2:
        raise DataError("times holds fewer than two different times. A rate of change needs at least two.")
    return found


def sizes(name: str, values: object) -> list[int]:
    """Clients of each therapist; one number or several.

    Raises
    ------
    DataError
        If one of them is not a whole number of at least 1.
    """
    says = "clients of each therapist, whole numbers of at least 1"
    return [whole(name, n, says, least=1) for n in several(values)]
