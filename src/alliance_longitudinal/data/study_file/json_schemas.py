"""Writes the JSON Schemas of the files that people edit, for the help that editors give while typing.

``python -m alliance_longitudinal.data.study_file.json_schemas`` writes them anew; a test compares them with the models.
"""

import json

from alliance_longitudinal.data.study_file.format import study_json_schema
from alliance_longitudinal.measures.instrument_file import instrument_json_schema
from alliance_longitudinal.resources import shipped


def schema_texts() -> dict[str, str]:
    """File name -> text, for each schema in ``data_schema/``."""
    schemas = {"study.schema.json": study_json_schema(), "instrument.schema.json": instrument_json_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def main() -> None:
    """Write the schemas into this checkout's ``data_schema/``."""
    for name, text in schema_texts().items():
        (shipped("data_schema") / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
