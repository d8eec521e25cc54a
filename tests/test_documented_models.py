"""The page about models holds code that runs."""

import re

import pytest

from alliance_longitudinal import FitError


@pytest.fixture(scope="module")
def blocks(root):
    return re.findall(r"```python\n(.*?)```", (root / "docs" / "models.md").read_text(encoding="utf-8"), re.S)


def test_every_block_of_the_page_runs_in_order(blocks, capsys):
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/models.md", "exec"), names)
    said = capsys.readouterr().out
    assert "therapist" in said
    assert names["res"].converged
    assert names["kr"].bse["week"] >= names["res"].bse["week"]
    assert names["recovery"].converged


def test_what_the_page_says_is_refused_is_refused(blocks):
    names: dict[str, object] = {}
    exec(blocks[0], names)
    data = names["data"]
    number = data.groupby("therapist")["client"].transform(lambda s: s.factorize()[0] + 1)
    recycled = data.assign(client=number)
    from alliance_longitudinal import MixedModel

    with pytest.raises(FitError, match="start again at 1 within the levels of 'therapist'"):
        MixedModel.from_formula("phq9 ~ week + (1 | therapist) + (1 | client)", recycled).fit()
