"""Reading formula text; every message points at its place."""

import pytest

from alliance_longitudinal.errors import FormulaError
from inside.engine_design import expand, parse


def test_fixed_and_random_parts_are_told_apart():
    parsed = parse("np.log(y) ~ week * (a + b) - 1 + (1 + week | outer/inner) + poly(x, 2) + (1|`my col`)")
    assert parsed.response == "np.log(y)"
    assert parsed.fixed == "week * (a + b) - 1 + poly(x, 2)"
    assert [(r.effects, r.factors, r.correlated) for r in parsed.random] == [
        ("1 + week", (("outer",), ("inner",)), True),
        ("1", (("my col",),), True),
    ]


def test_only_a_random_term_leaves_an_intercept():
    assert parse("y ~ (1 | g)").fixed == "1"
    assert parse("y ~ (1 | g) - 1 + x").fixed == "- 1 + x"
    assert parse("y ~ 0 + x + (0 + x || g)").random[0].correlated is False


def test_slashes_are_written_out_finer_first():
    terms = expand(parse("y ~ x + (1 + x || a/b/c) + (1 | d:e)"))
    assert [t.group for t in terms] == ["c:b:a", "b:a", "a", "d:e"]
    assert terms[0].columns == ("c", "b", "a")
    assert [t.correlated for t in terms] == [False, False, False, True]


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("y x + (1 | g)", "one '~'", 13),
        ("y ~ x ~ (1 | g)", "one '~'", 6),
        (" ~ x + (1 | g)", "response is missing", 1),
        ("y ~ x", "no random term", 5),
        ("y ~ x + (1 | g", "never closed", 8),
        ("y ~ x + 1 | g)", "closes nothing", 13),
        ("y ~ x + (1 | )", "grouping column is missing", 13),
        ("y ~ x + (1 | a/)", "grouping column is missing", 15),
        ("y ~ x + ( | g)", "There is nothing left", 10),
        ("y ~ x + (1 | g + h)", "Only ':' and '/'", 15),
        ("y ~ x + (1 | g | h)", "one '|' or one '||'", 15),
        ("y ~ x * (1 | g)", "in parentheses of its own", 11),
        ("y ~ x - (1 | g)", "cannot be subtracted", 8),
        ("y ~ x + + (1 | g)", "term is missing", 8),
        ("y ~ x + (1 | g) +", "term is missing", 17),
        ("y ~ x + ((1 | g))", "inside further brackets", 12),
        ("y ~.+ (1 | g)", "'.' for all other columns is not available", 3),
    ],
)
def test_a_mistake_is_shown_with_a_caret(text, message, place):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    lines = str(caught.value).splitlines()
    assert message in lines[0]
    assert lines[1] == "    " + text
    assert lines[2].index("^") - 4 == place


def test_a_formula_is_text():
    with pytest.raises(FormulaError, match="must be text, not int"):
        parse(3)
