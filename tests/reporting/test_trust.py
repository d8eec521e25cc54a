"""A notebook from somebody else is code: it is said, and it runs only when that is wanted."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from alliance_longitudinal.cli import main
from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting import Report, prepare, run_batch, verify_report
from inside.reporting_record import came_from
from reporting import tiny
from reporting.conftest import Lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="owners and marks as Linux has them")
CODE = "A notebook is code that runs with your rights: it can read, change and send everything that you can."


@pytest.fixture(params=["downloaded", "another's"])
def foreign(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Path:
    """A copy of a notebook as it comes from somebody else."""
    path = tmp_path / "tiny_copy.ipynb"
    shutil.copyfile(lab.folder / "tiny.ipynb", path)
    if request.param == "downloaded":
        try:
            os.setxattr(path, "user.xdg.origin.url", b"https://example.org/tiny_copy.ipynb")
        except OSError:
            pytest.skip("this file system keeps no marks")
    elif os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:
        pytest.skip("only root can make a file another user's")
    return path


def _sentence(path: Path) -> str:
    how = "belongs to another user of this machine" if path.stat().st_uid == 12345 else "was downloaded"
    return f"tiny_copy.ipynb {how}. {CODE} Read tiny_copy.ipynb first; then run it with --trust-notebook."


def test_a_report_with_it_is_refused_without_the_flag(lab: Lab, foreign: Path, tmp_path: Path) -> None:
    known = {"registry": tiny.REGISTRY, "notebooks": lab.folder}
    with pytest.raises(UsageError) as caught:
        prepare(lab.study, str(foreign), {}, trust=False, **known)
    assert str(caught.value) == _sentence(foreign)
    assert prepare(lab.study, str(foreign), {}, trust=True, **known).notebook == foreign
    grid = tmp_path / "grid.yaml"
    grid.write_text(f"study: {lab.study}\nnotebook: tiny_copy.ipynb\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        run_batch(grid, tmp_path / "out", trust=False, **known)
    assert str(caught.value) == _sentence(foreign)
    assert not (tmp_path / "out").exists()


def test_the_command_line_does_not_trust(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    path = tmp_path / "mine.ipynb"
    shutil.copyfile(root / "notebooks" / "dose.ipynb", path)
    arguments = ["report", "demo", "--notebook", str(path), "--out", str(tmp_path / "out"), "-p", "windw=3"]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"mine.ipynb is not a notebook of the package. {CODE}\n")
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
        assert main(arguments[:-2]) == 2
        assert "belongs to another user of this machine" in capsys.readouterr().err
        assert main([*arguments, "--trust-notebook"]) == 2
        assert "There is no parameter 'windw'" in capsys.readouterr().err


def test_a_report_from_somebody_else_does_not_run_its_notebook(
    lab: Lab, good: Report, tmp_path: Path
) -> None:
    """Its manifest names the notebook: to verify such a report is to run code."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a file another user's")
    own = tmp_path / "tiny_own.ipynb"
    shutil.copyfile(lab.folder / "tiny.ipynb", own)
    folder = tmp_path / "copy"
    shutil.copytree(good.folder, folder)
    os.chown(folder / "manifest.json", 12345, -1)
    with pytest.raises(UsageError, match=r"manifest\.json belongs to another user") as caught:
        verify_report(folder, notebook=str(own), trust=False, registry=tiny.REGISTRY, notebooks=lab.folder)
    assert "Read tiny_own.ipynb first" in str(caught.value)


def test_own_files_and_those_of_the_administrator_are_trusted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    assert came_from(tmp_path / "a") == ""
    assert came_from(tmp_path / "none") == ""
    assert came_from(Path("/etc/passwd")) == ""
