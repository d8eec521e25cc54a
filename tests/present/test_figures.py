"""Figures: same data same bytes, text from data is shown as it is, everything drawn is in the data."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from alliance_longitudinal.present import Column, FigureSpec, figures

HOSTILE = r"a $\alpha_$ b & <c> {d} \e"

EFFECTS = pd.DataFrame(
    {"label": [HOSTILE, "x"], "estimate": [0.2, -0.1], "ci_low": [0.1, -0.3], "ci_high": [0.3, 0.1]}
)
COURSE = pd.DataFrame(
    [
        (g, f"{HOSTILE} {g}", kind, w, 10.0 - g * w, 9.0, 11.0, 20)
        for g in range(3)
        for kind in ("model", "observed")
        for w in (0.0, 4.0)
    ],
    columns=["group", "label", "kind", "weeks", "value", "low", "high", "n"],
)
SHARES = pd.DataFrame(
    {
        "bar": [HOSTILE] * 3 + ["B"] * 3,
        "part": ["therapists", "clients", "sessions"] * 2,
        "share": [0.1, 0.4, 0.5, 0, 0.5, 0.5],
    }
)
SPECIFICATIONS = EFFECTS.assign(panel=["p", HOSTILE], main=[True, False])

ALL = {
    "effects": (EFFECTS, partial(figures.effects, x_label=HOSTILE, band=(0.1, 0.2))),
    "trajectories": (COURSE, partial(figures.trajectories, x_label=HOSTILE, y_label=HOSTILE)),
    "shares": (SHARES, partial(figures.shares, x_label=HOSTILE)),
    "specifications": (SPECIFICATIONS, partial(figures.specifications, x_label=HOSTILE)),
}


def spec(name: str) -> FigureSpec:
    data, draw = ALL[name]
    columns = tuple(Column(str(c), str(c)) for c in data)
    return FigureSpec(name, "Title", "Caption", "Alt", "How", "results", data, columns, draw)


@pytest.mark.parametrize("name", ALL)
def test_same_data_same_bytes(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = spec(name).save(tmp_path / "a").read_bytes(), spec(name).save(tmp_path / "b").read_bytes()
    assert first == second
    assert first.startswith(b"<?xml")


@pytest.mark.parametrize("name", ALL)
def test_each_call_draws_anew_and_leaves_the_data(name: str) -> None:
    data, before = ALL[name][0], ALL[name][0].copy()
    first, second = spec(name).figure(), spec(name).figure()
    assert isinstance(first, Figure)
    assert first is not second
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize("name", ALL)
def test_a_notebook_shows_the_picture_with_its_alternative_text(name: str) -> None:
    data, metadata = DisplayFormatter().format(spec(name).figure())
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"] == {"alt": "Alt"}


def test_effects_are_drawn_where_the_data_say() -> None:
    ax = spec("effects").figure().axes[0]
    points = ax.collections[-1].get_offsets()
    assert sorted(points[:, 0]) == sorted(EFFECTS["estimate"])
    assert [t.get_text() for t in ax.get_yticklabels()] == [HOSTILE.replace("$", r"\$"), "x"]


@pytest.mark.parametrize("name", ["effects", "specifications"])
def test_intervals_reach_from_end_to_end(name: str) -> None:
    axes = spec(name).figure().axes
    drawn = [tuple(s[:, 0]) for ax in axes for s in ax.collections[0].get_segments()]
    assert sorted(drawn) == sorted(zip(EFFECTS["ci_low"], EFFECTS["ci_high"], strict=True))


def test_shares_of_a_bar_fill_it() -> None:
    ax = spec("shares").figure().axes[0]
    ends = {}
    for patch in ax.patches:
        ends[round(patch.get_y(), 3)] = max(
            ends.get(round(patch.get_y(), 3), 0), patch.get_x() + patch.get_width()
        )
    assert list(ends.values()) == pytest.approx([1.0, 1.0])
