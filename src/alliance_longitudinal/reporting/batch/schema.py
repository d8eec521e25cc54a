"""The JSON Schema of batch files, made from the analyses that there are: for editors that complete and check."""

import json
from collections.abc import Mapping
from typing import Any

from alliance_longitudinal.language import languages
from alliance_longitudinal.reporting.batch.plan import BatchFile
from alliance_longitudinal.reporting.record.formats import FORMATS, PAGE

FILE = "batch.schema.json"
#: What a parameter can also be in a batch file: the text that one would type on the command line.
_TEXT = {"type": "string"}


def batch_schema(registry: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a batch file over the analyses of ``registry``."""
    own = {"type": "string", "pattern": "\\.ipynb$", "description": "Path of your own notebook."}
    names = [{"const": name, "description": f"{a.title}. {a.question}"} for name, a in registry.items()]
    notebook = {"anyOf": [*names, own]}
    base = BatchFile.model_json_schema()
    properties = base["properties"] | {
        "notebook": {**notebook, "description": "One analysis, or the path of your own notebook."},
        "notebooks": {
            "type": "array",
            "items": notebook,
            "minItems": 1,
            "description": "Several analyses or notebooks.",
        },
        "formats": {
            "type": "array",
            "items": {"enum": [PAGE, *FORMATS]},
            "description": "Documents in addition to each report's page.",
        },
        "language": {
            "enum": list(languages()),
            "description": "Language of the reports; the index is in English.",
        },
        "parameters": {
            "type": "object",
            "description": "Each parameter has one value or a list of values; every combination becomes a report.",
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Batch file",
        "description": "Which reports to make: every combination of studies, notebooks and parameters.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "allOf": [
            {"oneOf": [{"required": ["study"]}, {"required": ["studies"]}]},
            {"oneOf": [{"required": ["notebook"]}, {"required": ["notebooks"]}]},
            *(_if_notebook(name, analysis) for name, analysis in registry.items()),
        ],
    }


def schema_text(registry: Mapping[str, Any]) -> str:
    """The schema as the text of its file."""
    return json.dumps(batch_schema(registry), indent=2, ensure_ascii=False) + "\n"


def _if_notebook(name: str, analysis: Any) -> dict[str, Any]:
    """Which parameters a batch of one analysis may set, with their types and descriptions."""
    own = analysis.params.model_json_schema()["properties"]
    fields = {field: _one_or_several(own[field]) for field in analysis.params.names()}
    return {
        "if": {"properties": {"notebook": {"const": name}}, "required": ["notebook"]},
        "then": {
            "properties": {
                "parameters": {"type": "object", "properties": fields, "additionalProperties": False}
            }
        },
    }


def _one_or_several(field: Mapping[str, Any]) -> dict[str, Any]:
    value = {k: v for k, v in field.items() if k not in {"title", "description", "default"}}
    single = {"anyOf": [value, _TEXT]}
    words = {k: field[k] for k in ("description", "default") if k in field}
    return {**words, "anyOf": [value, _TEXT, {"type": "array", "items": single}]}
