"""The bundled demonstration study is what the generator makes, and is never written over anything."""

from pathlib import Path

import pytest

from alliance_longitudinal.errors import StudyError
from inside.data_demo import DEMO_SEED, demo_study_path, make_demo_files, write_demo


def test_the_bundled_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    make_demo_files(tmp_path, DEMO_SEED)
    bundled = demo_study_path().parent
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in bundled.iterdir())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (bundled / path.name).read_bytes(), path.name


def test_write_demo_never_overwrites(tmp_path: Path) -> None:
    assert write_demo(tmp_path / "demo") == tmp_path / "demo" / "study.yaml"
    with pytest.raises(
        StudyError, match=r"already holds 'README\.txt'; nothing was written\. Name another folder"
    ):
        write_demo(tmp_path / "demo")
