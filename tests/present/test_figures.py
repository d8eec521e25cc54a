"""Figures: same data same bytes, text from data is shown as it is, everything drawn is in the data."""

import base64
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alliance_longitudinal.language import in_language
from alliance_longitudinal.present import Column, FigureSpec
from inside.present_plots import plots, style

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
AROUND = pd.DataFrame(
    {
        "at": [0, 1, 2],
        "mean": [9.0, 5.0, 6.0],
        "low": [8.0, 4.0, 5.5],
        "high": [10.0, 6.0, 6.5],
        "name": [HOSTILE, "b", "c"],
    }
)
SHARES = pd.DataFrame(
    {
        "bar": [HOSTILE] * 3 + ["B"] * 3,
        "part": ["therapists", "clients", "sessions"] * 2,
        "share": [0.1, 0.4, 0.5, 0, 0.5, 0.5],
    }
)
ARROWS = pd.concat([EFFECTS, EFFECTS], ignore_index=True).assign(
    lead=[HOSTILE, HOSTILE, "b", "b"], follow=[HOSTILE, "b", "b", HOSTILE]
)
SPECIFICATIONS = EFFECTS.assign(panel=["p", HOSTILE], main=[True, False])
RATIOS = EFFECTS.assign(estimate=[1.2, 0.8], ci_low=[0.9, 0.5], ci_high=[1.6, 1.28])
LOADINGS = pd.DataFrame(
    [
        (p, i, f, 0.1 * k)
        for k, (p, i, f) in enumerate(
            [
                ("one", "a", HOSTILE),
                ("one", "b", HOSTILE),
                ("two", "a", HOSTILE),
                ("two", "b", "G"),
                ("three", "b", "G"),
            ]
        )
    ],
    columns=["panel", "item", "factor", "loading"],
)
EXPECTED = pd.DataFrame(
    {"label": ["a", HOSTILE], "share": [0.2, 0.4], "low": [0.1, 0.1], "high": [0.3, 0.35]}
)
GRID = pd.DataFrame({"what": [HOSTILE, HOSTILE, "b"], "at": [0, 1, 1], "share": [0.9, 0.85, 1.0]})
BARS = pd.DataFrame(
    {
        "panel": ["a"] * 2 + [HOSTILE] * 2 + ["c"],
        "low": [0, 1, 0, 2, 0],
        "high": [1, 4, 2, 3, 1],
        "share": [0.4, 0.6, 0.5, 0.5, 1],
    }
)
CELLS = pd.DataFrame(
    {
        "kind": ["band", "band", "clients", "clients"],
        "pre": [0.0, 20.0, 5.0, 15.0],
        "post": [None, None, 4.0, 18.0],
        "group": [None, None, "same", HOSTILE],
        "n": [None, None, 1, 30],
        "low": [-6.0, 14.0, None, None],
        "high": [6.0, 26.0, None, None],
    }
)

ALL = {
    "forest": (EFFECTS, partial(plots.forest, x_label=HOSTILE, band=(0.1, 0.2), band_label=HOSTILE)),
    "panels": (SPECIFICATIONS, partial(plots.forest, panel="panel", x_label=HOSTILE)),
    "ratios": (RATIOS, partial(plots.forest, x_label=HOSTILE, reference=1.0, scale="log")),
    "series": (
        LOADINGS,
        partial(plots.forest, value="loading", label="item", by="factor", panel="panel", x_label=HOSTILE),
    ),
    "expected": (
        EXPECTED,
        partial(
            plots.forest,
            value="share",
            bars=("low", "high"),
            names=("expected", HOSTILE),
            reference=None,
            scale="percent",
            limits=(0, None),
            x_label=HOSTILE,
        ),
    ),
    "course": (
        COURSE,
        partial(
            plots.lines,
            x="weeks",
            y="value",
            by="group",
            ordered=True,
            band=True,
            x_label=HOSTILE,
            y_label=HOSTILE,
        ),
    ),
    "around": (
        AROUND,
        partial(plots.lines, x="at", y="mean", names="name", span=(0, 1), x_label=HOSTILE, y_label=HOSTILE),
    ),
    "stacked": (SHARES, partial(plots.stacked, x_label=HOSTILE)),
    "heat": (GRID, partial(plots.heat, row="what", column="at", value="share", x_label=HOSTILE)),
    "paths": (ARROWS, partial(plots.paths, heads=(HOSTILE, "next"))),
    "histogram": (
        BARS,
        partial(
            plots.histogram, panel="panel", x_label="{panel} points", y_label=HOSTILE, ends={"a": (0, 4)}
        ),
    ),
    "points": (
        CELLS,
        partial(
            plots.points,
            x="pre",
            y="post",
            by="group",
            colours={"better": style.GREEN, "same": style.GREY, HOSTILE: style.ORANGE},
            x_label=HOSTILE,
            y_label=HOSTILE,
            cut=10.0,
        ),
    ),
}


def spec(name: str) -> FigureSpec:
    data, draw = ALL[name]
    columns = tuple(Column(str(c), str(c)) for c in data)
    return FigureSpec(name, "Title", "Caption", "Alt", "How", "results", data, columns, draw)


def labels(texts: list[str]) -> list[str]:
    """Labels as they are in the data: unbroken, without what matplotlib needs."""
    return [t.replace("\n", " ").replace(r"\$", "$") for t in texts]


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


@pytest.mark.parametrize("name", ALL)
def test_the_report_has_the_picture_that_its_notebook_shows_and_it_is_drawn_once(
    name: str, tmp_path: Path
) -> None:
    drawn: list[pd.DataFrame] = []
    plain = spec(name)
    counted = replace(plain, draw=lambda data: drawn.append(data) or plain.draw(data))
    data, metadata = DisplayFormatter().format(counted)
    assert data["image/svg+xml"].encode() == counted.save(tmp_path).read_bytes()
    assert metadata["image/svg+xml"] == {"alt": "Alt"}
    found = re.fullmatch(r'<img src="data:image/svg\+xml;base64,(.*)" alt="Alt">', data["text/html"])
    assert found
    assert (
        base64.b64decode(found[1]).decode() == data["image/svg+xml"]
    )  # shown where nobody trusts the notebook
    assert data["text/plain"] == f"<Figure {name!r}: Title>"
    assert len(drawn) == 1


def test_a_picture_is_drawn_once_in_each_language() -> None:
    drawn: list[pd.DataFrame] = []
    plain = spec("forest")
    made = replace(plain, draw=lambda data: drawn.append(data) or plain.draw(data))
    english = made.svg()
    with in_language("de"):
        made.svg()
    assert (made.svg(), len(drawn)) == (english, 2)


def test_the_numbers_of_an_axis_have_the_decimal_mark_of_the_language() -> None:
    def ticks() -> set[str]:
        figure = spec("forest").figure()
        figure.draw_without_rendering()
        return {label.get_text() for ax in figure.axes for label in ax.get_xticklabels()}

    english = ticks()
    with in_language("de"):
        german = ticks()
        assert style.percent(0.025) == "2,5\u00a0%"
    assert any("." in text for text in english)
    assert german == {text.replace(".", ",") for text in english}


@pytest.mark.parametrize("name", ALL)
def test_a_figure_is_as_wide_as_a_telephone_shows_it_and_its_text_at_least_nine_points(name: str) -> None:
    figure = spec(name).figure()
    figure.draw_without_rendering()
    assert figure.get_figwidth() == style.WIDTH
    texts = [
        t for t in figure.findobj(lambda a: hasattr(a, "get_fontsize")) if t.get_text() and t.get_visible()
    ]
    assert texts
    assert min(t.get_fontsize() for t in texts) * 390 / (72 * style.WIDTH) >= 9  # points on a page 390 wide


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_cut_off(name: str) -> None:
    figure = spec(name).figure()
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    assert min(drawn.x0, drawn.y0) >= -0.02  # inches
    assert drawn.x1 <= figure.get_figwidth() + 0.02
    assert drawn.y1 <= figure.get_figheight() + 0.02


def test_a_forest_is_drawn_where_the_data_say() -> None:
    ax = spec("forest").figure().axes[0]
    assert marks(ax) == list(zip(EFFECTS["estimate"], [1, 0], strict=True))
    assert labels([t.get_text() for t in ax.get_yticklabels()]) == ["x", HOSTILE]


def marks(ax: Axes) -> list[tuple[float, float]]:
    """Where the marks of all series are, in the order of drawing."""
    found = [c for c in ax.collections if len(c.get_offsets()) and c.get_zorder() == 3]
    return [(float(x), float(y)) for c in found for x, y in c.get_offsets()]


@pytest.mark.parametrize(("name", "data"), [("forest", EFFECTS), ("panels", EFFECTS), ("ratios", RATIOS)])
def test_intervals_reach_from_end_to_end(name: str, data: pd.DataFrame) -> None:
    axes = spec(name).figure().axes
    drawn = [tuple(s[:, 0]) for ax in axes for s in ax.collections[0].get_segments()]
    assert sorted(drawn) == sorted(zip(data["ci_low"], data["ci_high"], strict=True))


def test_only_the_main_choice_is_filled() -> None:
    first, second = spec("panels").figure().axes
    assert [ax.collections[-1].get_facecolor()[0][:3].tolist() == [1, 1, 1] for ax in (first, second)] == [
        False,
        True,
    ]


def test_every_series_of_every_panel_is_drawn_and_named_once() -> None:
    figure = spec("series").figure()
    assert [sorted(marks(ax)) for ax in figure.axes] == [
        [(0.0, 1), (0.1, 0)],
        [(0.2, 1), (pytest.approx(0.3), 0)],
        [(0.4, 0)],
    ]
    (legend,) = figure.legends
    assert labels([t.get_text() for t in legend.get_texts()]) == [HOSTILE, "G"]


def test_bars_of_what_was_expected_are_behind_the_marks() -> None:
    ax = spec("expected").figure().axes[0]
    assert marks(ax) == [(0.2, 1), (0.4, 0)]
    assert [tuple(s[:, 0]) for s in ax.collections[0].get_segments()] == [(0.1, 0.3), (0.1, 0.35)]
    assert ax.get_xlim()[0] == 0


def test_the_axis_of_ratios_is_even_around_one_and_holds_all() -> None:
    low, high = spec("ratios").figure().axes[0].get_xlim()
    assert low * high == pytest.approx(1)
    assert low < 0.5
    assert high > 2


def test_a_course_has_its_line_its_band_and_its_observed_means() -> None:
    ax = spec("course").figure().axes[0]
    assert [list(line.get_ydata()) for line in ax.lines] == [[10, 10], [10, 6], [10, 2]]
    assert [list(c.get_offsets()[:, 1]) for c in ax.collections[1::2]] == [[10, 10], [10, 6], [10, 2]]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (9, 11)


def test_single_intervals_stand_at_their_place_which_has_its_name() -> None:
    ax = spec("around").figure().axes[0]
    (intervals,) = [c for c in ax.collections if hasattr(c, "get_segments")]
    assert [tuple(s[:, 1]) for s in intervals.get_segments()] == [(8, 10), (4, 6), (5.5, 6.5)]
    assert labels([t.get_text() for t in ax.get_xticklabels()]) == [HOSTILE, "b", "c"]


def test_shares_of_a_bar_fill_it() -> None:
    ax = spec("stacked").figure().axes[0]
    ends: dict[float, float] = {}
    for patch in ax.patches:
        y = round(patch.get_y(), 3)
        ends[y] = max(ends.get(y, 0), patch.get_x() + patch.get_width())
    assert list(ends.values()) == pytest.approx([1.0, 1.0])


def test_a_part_that_no_bar_has_is_not_named() -> None:
    colours = {
        "sessions": style.BLUE,
        "weeks": style.GREY,
        "clients": style.GREEN,
        "therapists": style.ORANGE,
    }
    figure = plots.stacked(SHARES, x_label="x", colours=colours)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["sessions", "clients", "therapists"]


def test_a_cell_without_data_has_no_colour_of_the_scale() -> None:
    """Eighty-five per cent used to have the grey of what was not planned."""
    ax = spec("heat").figure().axes[0]
    (image,) = ax.images
    grid = image.get_array()
    assert grid.mask.tolist() == [[False, False], [True, False]]
    scale = image.cmap(image.norm([k / 100 for k in range(101)]))[:, :3]
    background = ax.get_facecolor()[:3]
    assert min(abs(scale - background).sum(axis=1)) > 0.1  # the sum over red, green and blue
    assert len(ax.lines) == 2  # the cross
    assert [t.get_text() for t in ax.texts] == ["90", "85", "100"]


def test_a_wider_bar_of_a_histogram_is_lower() -> None:
    axes = spec("histogram").figure().axes
    assert [p.get_height() for p in axes[0].patches] == pytest.approx([0.4, 0.2])
    assert [ax.get_visible() for ax in axes] == [True, True, True, False]
    assert [labels([ax.get_xlabel()])[0] for ax in axes[:3]] == ["a points", f"{HOSTILE} points", "c points"]
    assert [line.get_xdata()[0] for line in axes[0].lines] == [0, 4]


def test_circles_are_where_the_scores_are_and_larger_for_more_clients() -> None:
    figure = spec("points").figure()
    band, first, second = figure.axes[0].collections
    assert [c.get_offsets().tolist() for c in (first, second)] == [[[5, 4]], [[15, 18]]]
    assert first.get_sizes()[0] < second.get_sizes()[0]
    assert len({float(h.get_sizes()[0]) for h in figure.legends[0].legend_handles}) == 1
    assert band.get_paths()[0].vertices[:, 1].max() == 26
    assert labels([t.get_text() for t in figure.legends[0].get_texts()]) == ["same", HOSTILE]


def test_ink_is_readable_on_its_colour() -> None:
    assert [style.ink_on(c) for c in (style.BLUE, style.PALE_GREY, "#ffffff", "#000000")] == [
        "white",
        "black",
        "black",
        "white",
    ]


def test_describing_a_figure_loads_no_drawing_library_and_drawing_none_but_matplotlib() -> None:
    code = (
        "import sys, alliance_longitudinal.present as p, pandas as pd\n"
        "heavy = {'matplotlib', 'seaborn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "p.plots.stacked(pd.DataFrame({'bar': ['a'], 'part': ['b'], 'share': [1.0]}), x_label='x')\n"
        "heavy = {'matplotlib.pyplot', 'seaborn', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
