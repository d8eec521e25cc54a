"""Which scripts of R `make parity` runs, in which order, and what it says of the others."""

import pytest

from reference import refresh


def test_every_script_is_run_those_first_that_write_what_others_read():
    names = [script.name for script in refresh.scripts()]
    assert names[:2] == ["make_kr_cr2.R", "make_profile.R"]
    assert names[-1] == "early_alliance.R"
    assert set(names) == {p.name for p in refresh.HERE.glob("make_*.R")} | {"early_alliance.R"}


def test_packages_are_read_from_the_script():
    assert {"lme4", "nlme", "clubSandwich"} <= refresh.packages(refresh.HERE / "make_residuals.R")


def test_a_script_is_left_out_with_a_reason():
    residuals, change = (refresh.HERE / f"make_{name}.R" for name in ("residuals", "change"))
    assert refresh.left_out(residuals, {"nlme", "psych"}, True) == "R has no nlme"
    assert refresh.left_out(residuals, {"psych"}, False) == ""
    assert refresh.left_out(change, set(), False) == "the data are not beside the checkout"


def test_the_committed_figures_stand_where_r_is_not(monkeypatch, capsys):
    monkeypatch.setattr(refresh.shutil, "which", lambda _: None)
    assert refresh.main([]) == 0
    assert capsys.readouterr().out == "No R here: comparing with the committed figures.\n"


def test_a_script_that_fails_stops_the_run(monkeypatch, capsys, tmp_path):
    script = tmp_path / "make_wrong.R"
    script.write_text("stop('no such model')")
    rscript = tmp_path / "Rscript"
    rscript.write_text('#!/bin/sh\nif [ "$1" = "-e" ]; then exit 0; fi\necho "no such model" >&2; exit 1\n')
    rscript.chmod(0o755)
    monkeypatch.setattr(refresh.shutil, "which", lambda _: str(rscript))
    monkeypatch.setattr(refresh, "scripts", lambda: [script])
    assert refresh.main([]) == 1
    assert "make_wrong.R failed:\nno such model" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match=r"make_wrong.R failed"):
        list(refresh.runs(str(rscript), [script]))
