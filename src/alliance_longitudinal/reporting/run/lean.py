"""Spares a report's processes what they import and never use; each name says what it would have been for."""

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

#: Optional helpers of jsonschema for formats that neither notebooks nor our results use. Beside JupyterLab one of
#: them builds a grammar of addresses when imported, which takes seconds; jsonschema does without.
_FORMATS = ("rfc3987_syntax", "rfc3987", "rfc3986_validator", "isoduration")
#: Stores on the web that papermill can write to; it does without where they are missing.
_STORES = ("pyarrow", "boto3", "azure", "gcsfs", "github")
#: What papermill fetches notebooks from the web with; it insists on the name.
_WEB = "requests"

#: Starts the kernel. The debugger is loaded by the kernel only for JupyterLab's breakpoints. The last thing at its end is to
#: leave without freeing every object one by one, which takes half a second; and few looks for garbage are enough for one report.
KERNEL_PROGRAM = (
    "import atexit, gc, os, sys; sys.modules['debugpy'] = None; atexit.register(os._exit, 0); gc.set_threshold(50_000, 50, 100); "
    "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import papermill and nbformat inside this block; afterwards everything can be imported as ever."""
    stand_ins: dict[str, types.ModuleType | None] = dict.fromkeys((*_FORMATS, *_STORES))
    stand_ins[_WEB] = types.ModuleType(_WEB)
    put = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(put)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in put.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
