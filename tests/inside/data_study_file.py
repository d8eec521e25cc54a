"""Inside `data.study_file`: schemas, and plans of study files."""

from alliance_longitudinal.data.study_file.json_schemas import main, schema_texts
from alliance_longitudinal.data.study_file.plan import read_plan
from alliance_longitudinal.data.study_file.table_blocks import ClientColumns, SessionColumns, TherapistColumns

__all__ = ["ClientColumns", "SessionColumns", "TherapistColumns", "main", "read_plan", "schema_texts"]
