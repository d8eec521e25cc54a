"""Inside `reporting.record`: folders that break, manifests that were changed by hand."""

from alliance_longitudinal.reporting.record import formats
from alliance_longitudinal.reporting.record.arguments import as_argument, rerun_command
from alliance_longitudinal.reporting.record.folder import (
    check_destination,
    make_folder,
    publish_folder,
    staged,
)
from alliance_longitudinal.reporting.record.hashing import data_hash, file_hash, folder_hashes
from alliance_longitudinal.reporting.record.inputs import input_hashes
from alliance_longitudinal.reporting.record.manifest import altered_files
from alliance_longitudinal.reporting.record.notebooks import (
    cell_names,
    check_parameters,
    default_registry,
    find_notebook,
)
from alliance_longitudinal.reporting.record.outcome import Outcome
from alliance_longitudinal.reporting.record.public import names_to_hide, without_names
from alliance_longitudinal.reporting.record.size import size_note
from alliance_longitudinal.reporting.record.terminal import harmless
from alliance_longitudinal.reporting.record.troubles import trouble, trouble_in, words_of
from alliance_longitudinal.reporting.record.trust import came_from
from alliance_longitudinal.reporting.record.written import notebook_text

__all__ = [
    "Outcome",
    "altered_files",
    "as_argument",
    "came_from",
    "cell_names",
    "check_destination",
    "check_parameters",
    "data_hash",
    "default_registry",
    "file_hash",
    "find_notebook",
    "folder_hashes",
    "formats",
    "harmless",
    "input_hashes",
    "make_folder",
    "names_to_hide",
    "notebook_text",
    "publish_folder",
    "rerun_command",
    "size_note",
    "staged",
    "trouble",
    "trouble_in",
    "without_names",
    "words_of",
]
