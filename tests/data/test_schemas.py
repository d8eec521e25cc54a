"""The committed definitions are those that the code holds."""

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from alliance_longitudinal.resources import shipped
from inside import SHIPPED_SCHEMAS
from inside.data_study_file import ClientColumns, SessionColumns, TherapistColumns, main, schema_texts


def read(path):
    return YAML(typ="safe", pure=True).load(path)


@pytest.mark.parametrize("name", ["study.schema.json", "instrument.schema.json"])
def test_committed_schema_is_that_of_the_model(name, root):
    committed = (root / "data_schema" / name).read_text(encoding="utf-8")
    assert committed == schema_texts()[name], (
        "run: python -m alliance_longitudinal.data.study_file.json_schemas"
    )


def test_main_writes_both_schemas(monkeypatch, tmp_path):
    monkeypatch.setattr(SHIPPED_SCHEMAS, lambda _: tmp_path)
    main()
    assert {p.name: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()} == schema_texts()


def test_committed_files_fit_their_schema(root):
    import json

    texts = schema_texts()
    study = Draft202012Validator(json.loads(texts["study.schema.json"]))
    study.validate(read(root / "tests" / "fixtures" / "implement_gad" / "study.yaml"))
    assert not study.is_valid({"study": "x"})
    instrument = Draft202012Validator(json.loads(texts["instrument.schema.json"]))
    for path in [
        *(shipped("data_schema") / "instruments").glob("*.yaml"),
        *(root / "tests").rglob("wai_9.yaml"),
    ]:
        instrument.validate(read(path))


@pytest.mark.parametrize(
    ("name", "model"),
    [("sessions", SessionColumns), ("clients", ClientColumns), ("therapists", TherapistColumns)],
)
def test_table_definitions_name_the_columns_of_the_study_file(name, model):
    table = read(shipped("data_schema") / "tables" / f"{name}.yaml")
    assert list(table["columns"]) == list(model.model_fields)
    required = {column for column, rule in table["columns"].items() if rule["required"] is True}
    assert required == {column for column, field in model.model_fields.items() if field.is_required()}
