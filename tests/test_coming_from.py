"""The page for readers who know lme4 or SPSS: every Python call on it runs and says something."""

import re

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import FitError


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "coming_from.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def calls(page):
    """The last cell of every row of the tables, without its backticks."""
    rows = re.findall(r"^\|.*\| `([^`]+)` \|$", page, re.M)
    return [call.replace(r"\|", "|") for call in rows]


@pytest.fixture(scope="module")
def ran(page, calls):
    """Call -> what it gave, and the names that the page defines."""
    names: dict[str, object] = {}
    (setup,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(setup, names)
    values = {}
    for call in calls:
        target = re.match(r"(\w+) = ", call)
        if target:
            exec(call, names)
            values[call] = names[target[1]]
        else:
            values[call] = eval(call, names)
    return values, names


def test_no_row_is_left_out(page, calls):
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.endswith("| here |")]
    assert len(calls) == len(rows) > 30


def test_every_call_gives_numbers(ran):
    values, _ = ran
    empty = [call for call, value in values.items() if value is None and not call.startswith("print(")]
    assert empty == []
    frames = {c: v for c, v in values.items() if isinstance(v, pd.DataFrame | pd.Series)}
    assert len(frames) > 15
    for call, frame in frames.items():
        numbers = pd.DataFrame(frame).select_dtypes("number").dropna(axis=1, how="all")
        assert numbers.size, call
        assert not np.isnan(numbers.to_numpy(dtype=float)).all(axis=1).any(), call


def test_every_model_is_certified(ran):
    _, names = ran
    models = ["m", "growth", "apart", "nested", "both", "halves", "ml", "kr", "series", "strata", "yes"]
    assert [name for name in models if not names[name].converged] == []


def test_what_the_page_says_of_the_calls_holds(ran):
    _, names = ran
    m, growth, apart, d = (names[k] for k in ("m", "growth", "apart", "d"))
    pd.testing.assert_frame_equal(growth.conf_int(), growth.conf_int(method="wald"))
    assert growth.reml
    assert not names["ml"].reml
    correlated = growth.varcorr.dropna(subset=["term2"])
    assert len(correlated) == 1
    assert apart.varcorr.dropna(subset=["term2"]).empty
    stranger = d.head(1).assign(client=None)
    known = growth.predict(stranger, groups=False).to_numpy()
    np.testing.assert_allclose(growth.predict(stranger).to_numpy(), known, rtol=1e-12)  # the same sum
    with pytest.raises(FitError, match="knows no 'client' of the new data"):
        growth.predict(d.head(1).assign(client="nobody"))
    assert list(m.conf_int(method="profile").index)[-1] == "sigma"
    assert [t for t in names["halves"].params.index if "early" in t] == []
