"""Inside `data.demo`: writes the demonstration study where a test wants it."""

from alliance_longitudinal.data.demo import DEMO_SEED, demo_study_path, make_demo_files, write_demo

__all__ = ["DEMO_SEED", "demo_study_path", "make_demo_files", "write_demo"]
