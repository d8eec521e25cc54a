"""Names of tables and figures are names of files, whatever covariates are called."""

from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.kit import with_file_names
from alliance_longitudinal.present import Column, Table


def test_names_with_a_covariate_s_name_become_names_of_files() -> None:
    one = Table.from_frame("x", "Title", "results", pd.DataFrame({"n": [1.0]}), [Column("n", "n", "number")])
    names = ["effects", "slope_Age", "slope_age", "slope_AGE", "slope_Jahre alt", "Ä", "a" * 63 + "B"]
    found = [t.name for t in with_file_names([replace(one, name=name) for name in names])]
    assert found == [
        "effects",
        "slope_age_2",
        "slope_age",
        "slope_age_3",
        "slope_jahre_alt",
        "group",
        "a" * 60,
    ]
