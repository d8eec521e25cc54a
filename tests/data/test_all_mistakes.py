"""All mistakes of a study file come in one error: of its words, its blocks, its instruments and its columns."""

import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.small import small_study, study_file

TABLE = "Code,Th,Nr,Group.x,PHQ,WAI\n1,a,0,x,10,40\n"


def said(folder, text, table=TABLE):
    (folder / "s.csv").write_text(table)
    (folder / "study.yaml").write_text(text)
    with pytest.raises((StudyError, DataError)) as caught:
        load_study(folder / "study.yaml")
    return str(caught.value)


FILE = """\
study: R export
tables:
  sessions:
    file: s.csv
    columns: {client: Code, session: Nr, therapist: Th}
measures:
  phq9: {instrument: phq_9, total: PHQ}
  alliance: {instrument: wai_sr, total: WAI}
"""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        # a name, an instrument, a window that runs backwards, a column that is not there
        (
            [("phq_9", "phq_99"), ("total: WAI", "total: WAY"), ("study: R", "early_window: [5, 1]\nbaseline: [Group.x]\nstudy: R")],
            ["'Group.x' cannot be one", "no instrument 'phq_99'", "runs backwards", "there is no column 'WAY'"],
        ),
        # an unknown key, a wrong word, two kinds of totals, a column
        (
            [("client: Code", "clientt: x, client: Kode"), ("study: R", "transfers: frist\nstudy: R"), ("total: PHQ", "total: PHQ, items: a")],
            ["unknown key 'tables.sessions.columns.clientt'", "'transfers' is 'frist'", "give either 'items' or 'total'",
             "there is no column 'Kode'. Did you mean 'Code'?"],
        ),
        # a missing key hides nothing
        (
            [("study: R export\n", ""), ("wai_sr", "wai_rs"), ("Nr", "Nrr")],
            ["the key 'study' is missing", "no instrument 'wai_rs'"],
        ),
        # two measures, each with its own mistake, and the schedule that names a third
        (
            [("phq_9", "phq_8"), ("instrument: wai_sr", "instrument: wai_sr, raterr: x"), ("study: R", "schedule: {x: [0]}\nstudy: R")],
            ["no instrument 'phq_8'", "unknown key 'measures.alliance.raterr'", "'schedule' names 'x'"],
        ),
        # a clients table without its columns, beside a wrong dialect
        (
            [("measures:", "  clients: {file: s.csv, columns: {client: Coed, ending: End}}\nmeasures:"), ("study: R", "dialect: {decimal: ';'}\nstudy: R")],
            ["'dialect.decimal' is ';'", "there is no column 'Coed'", "there is no column 'End'", "an 'ending' column"],
        ),
    ],
)  # fmt: skip
def test_every_mistake_is_named_at_once(tmp_path, changes, words):
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    found = said(tmp_path, text)
    missing = [word for word in words if word not in found]
    assert not missing, found


def test_what_follows_from_a_mistake_is_not_said(tmp_path):
    """A measure with a mistake is taken out while the rest is looked at; its schedule is no mistake."""
    text = FILE.replace("total: PHQ", "total: PHQ, raterr: x") + "schedule: {phq9: [0, 4]}\n"
    assert said(tmp_path, text).splitlines() == [
        "The study file study.yaml has 1 mistake:",
        "  line 7: unknown key 'measures.phq9.raterr'. Did you mean 'rater'?",
    ]
    text = FILE.replace("{client: Code, session: Nr, therapist: Th}", "3")
    assert said(tmp_path, text).count("  line ") == 1


def test_a_header_that_is_no_name_is_told_how_to_get_one(tmp_path):
    found = said(tmp_path, FILE + "baseline: [Group.x, 2nd]\n")
    assert "'Group.x', '2nd' cannot be one" in found
    assert (
        "such as {Group_x: Group.x, x_2nd: 2nd}; the treatment arm is called 'arm', as in {arm: Group.x}"
        in found
    )


def test_two_sentences_about_the_whole_are_two_mistakes(tmp_path):
    found = said(tmp_path, FILE + "early_window: [5, 1]\nsmall_cells: 5\nschedule: {z: [0]}\n")
    assert "has 2 mistakes:" in found


@pytest.mark.parametrize(
    ("headers", "pattern", "right"),
    [
        ("wai_sr_{:02d}", "wai_sr_{item}", "wai_sr_{item:02d}"),
        ("WAI_{}", "wai_{item}", "WAI_{item}"),
        ("wai{}", "wai_{item}", "wai{item}"),
        ("wai.{}", "wai_{item}", "wai.{item}"),
        ("wai_{:03d}", "wai_{item}", "wai_{item:03d}"),
        ("wai_{}", "wai_{item:02d}", "wai_{item}"),
        ("w_{}_r", "w{item}r", "w_{item}_r"),
    ],
)
@pytest.mark.parametrize("layout", ["long", "wide"])
def test_items_under_another_spelling_get_their_pattern(tmp_path, headers, pattern, right, layout):
    items = [headers.format(k) for k in range(1, 13)]
    wide = ""
    columns = "client: c, therapist: t, session: n"
    if layout == "wide":
        items = [f"{item}_s1" for item in items]
        wide, columns = "layout: wide, wide: {pattern: '{column}_s{session}'}, ", "client: c, therapist: t"
    table = f"c,t,n,{','.join(items)}\n1,a,1,{','.join(['3'] * 12)}\n"
    measures = f"measures: {{wai: {{instrument: wai_sr, items: '{pattern}'}}}}"
    with pytest.raises(DataError) as caught:
        load_study(study_file(tmp_path, table, measures=measures, columns=columns, sessions=wide))
    assert f"write 'items: \"{right}\"' below 'wai' in the study file" in str(caught.value)
    assert len(caught.value.problems) == 1
    study = small_study(
        tmp_path, table, measures=measures.replace(pattern, right), columns=columns, sessions=wide
    )
    assert study.sessions["wai"].tolist() == [36]


def test_items_that_are_simply_not_there_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no column 'q1'"):
        load_study(
            study_file(
                tmp_path,
                "c,t,n,x\n1,a,1,3\n",
                measures="measures: {w: {instrument: wai_sr, items: 'q{item}'}}",
            )
        )
