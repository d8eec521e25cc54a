"""Habits from other programs' formulas: what is written there, and how the same is said here, with the place."""

import re

from alliance_longitudinal.engine.design.formula import fail_at
from alliance_longitudinal.engine.design.plain import FUNCTIONS

_CALL = re.compile(r"(?<![\w.`])(?P<name>[^\W\d][\w.]*)\s*\(")
_POWER = re.compile(r"(?<![\w.`:*)\]])(?P<name>[^\W\d]\w*)\s*(?P<sign>\^|\*\*)\s*(?P<to>\d+)(?![\w.])")
_BEFORE = "Make the column in the data before the fit"
_SMOOTH = (
    "{0}() is not available. For a smooth curve write cr(x, df=5), a natural cubic spline, or bs(x, df=5)."
)
_CATEGORY = "{0}() is written C(x) here. A text column is a category in any case."
_NUMBER = "{0}() is not available. " + _BEFORE + ", such as data['x'] = pandas.to_numeric(data['x'])."
_MADE = "{0}() is not available. " + _BEFORE + "."
_RESIDUAL = (
    "Correlated residuals are not a part of the formula. Give residual=AR1(order='...') to from_formula."
)
#: By function: what to write here.
ADVICE = {
    "ns": "A natural spline is written cr() here: ns(x, df=3) is cr(x, df=4), with one more column for the intercept.",
    **dict.fromkeys(("s", "te", "ti", "t2", "rcs", "pspline", "spline"), _SMOOTH),
    **dict.fromkeys(("factor", "as.factor", "as_factor", "ordered"), _CATEGORY),
    **dict.fromkeys(("as.numeric", "as.integer", "as.double", "float", "int"), _NUMBER),
    **dict.fromkeys(
        ("cut", "ifelse", "if_else", "case_when", "interaction", "mean", "rowMeans", "rev"), _MADE
    ),
    "relevel": "relevel() is not available. Write C(x, Treatment('reference')) with the category to compare with.",
    **dict.fromkeys(
        ("sqrt", "abs", "log1p", "expm1", "sin", "cos", "tan", "floor", "ceiling", "round", "sign", "where"),
        "{0}() is written with NumPy's name here: np.{0}(x).",
    ),
    "lag": "lag() would take values across the groups. "
    + _BEFORE
    + ", such as data.groupby('g')['x'].shift().",
    "offset": "An offset is not a part of the formula. Give its column to from_formula: offset='x'.",
    "cbind": "cbind() is not available. For successes out of trials take the share as the response and weights='trials' "
    "with family='binomial'; columns of the right-hand side are added one by one.",
    **dict.fromkeys(("AR", "ar1", "AR1", "corAR1", "CAR1", "cs1", "us", "diag"), _RESIDUAL),
}
ADVICE["floor"] = ADVICE["round"] = ADVICE["sqrt"]


def refuse_idioms(text: str, columns: tuple[str, ...]) -> None:
    """Refuse what this formula language does not have, or would read as something else without a word.

    Parameters
    ----------
    text : str
        The formula.
    columns : tuple of str
        Of the data; their names are never taken for functions.

    Raises
    ------
    FormulaError
        With what to write instead, and a caret under the place.
    """
    shown = _without_quotes(text)
    for found in _CALL.finditer(shown):
        name = found["name"]
        _refuse_call(text, found.start(), name, columns)
        if name == "I":
            power = shown.find("^", found.end(), _closing(shown, found.end()))
            if power >= 0:
                fail_at(
                    text,
                    power,
                    "Inside I(...) a power is written with two stars: I(x**2) is the square of x.",
                )
    for brace in re.finditer(r"\{[^{}]*\^", shown):
        fail_at(
            text,
            brace.end() - 1,
            "Inside {...} a power is written with two stars: {x**2} is the square of x.",
        )
    for found in _POWER.finditer(shown):
        if _depth(shown, found.start()) == 0 and found["name"] in columns:
            name, sign, to = found["name"], found["sign"], found["to"]
            fail_at(
                text,
                found.start(),
                f"{name}{sign}{to} means {name} itself in a formula (all products of its terms with themselves). For a power "
                f"of its values write I({name}**{to}).",
            )
    for sign, advice in _SIGNS:
        place = shown.find(sign)
        read = sign == "%" and (shown.startswith("%in%", place) or _depth(shown, place) > 0)  # a remainder
        if place >= 0 and not read:
            fail_at(text, place, advice)
    for found in re.finditer(r"(?<![\w.`])([^\W\d]\w*)\s*\[", shown):
        if found[1] in columns:
            fail_at(text, found.end() - 1, f"{found[1]}[...] cannot be a part of a formula. {_BEFORE}.")
    for name in ("TRUE", "FALSE", "NULL", "NA"):
        word = re.search(rf"(?<![\w.`]){name}(?![\w.])", shown)
        if word and name not in columns:
            fail_at(
                text,
                word.start(),
                f"{name} is R's. Leave it out, or write 1 for an intercept and 0 for none.",
            )


_SIGNS = (
    ("$", "A column is named alone, without the data before '$'; the data are the second argument."),
    ("%", "Only %in% is read between percent signs; products are written a * b, a:b or I(a * b)."),
)


def _refuse_call(text: str, place: int, name: str, columns: tuple[str, ...]) -> None:
    root = name.split(".")[0]
    if root in columns and name not in ADVICE:  # a method of the column
        return
    if name in ADVICE:
        fail_at(text, place, ADVICE[name].format(name))
    if root not in FUNCTIONS:
        known = sorted(FUNCTIONS - {"contr", "hashed", "np", "lag", "Q"})
        fail_at(
            text,
            place,
            f"{name}() is not a function that formulas know. There are {', '.join(known)}, and NumPy's as np.name(x). "
            f"{_BEFORE} for anything else.",
        )


def _without_quotes(text: str) -> str:
    """The text with everything in quotes or backticks blanked out, of the same length."""
    return re.sub(r"`[^`]*`|'[^']*'|\"[^\"]*\"", lambda found: "_" * len(found[0]), text)


def _closing(text: str, begin: int) -> int:
    """Where the bracket that was opened before ``begin`` is closed."""
    depth = 1
    for i in range(begin, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return len(text)


def _depth(text: str, place: int) -> int:
    """Calls and braces around a place; parentheses of their own do not count."""
    stack: list[bool] = []
    for i, char in enumerate(text[:place]):
        if char in "([{":
            stack.append(char != "(" or bool(re.search(r"[\w.]\s*$", text[:i])))
        elif char in ")]}" and stack:
            stack.pop()
    return sum(stack)
