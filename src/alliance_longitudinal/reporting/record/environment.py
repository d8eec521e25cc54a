"""What a report ran on: package versions, numerical libraries, threads."""

import os
import platform
import re
import sys
from functools import cache
from importlib import metadata
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def package_versions() -> dict[str, str]:
    """Version of this package and of everything it declares that is installed, when this process first asked."""
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    """Reading them takes a tenth of a second, and a batch asks for each of its reports."""
    versions = {"alliance-longitudinal": metadata.version("alliance-longitudinal")}
    for requirement in metadata.requires("alliance-longitudinal") or ():
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        versions[name] = metadata.version(name)
    return dict(sorted(versions.items()))


def machine() -> dict[str, str]:
    """Python and kind of machine; nothing that names the machine or its user."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "system": platform.system(),
        "machine": platform.machine(),
    }


def numerical_libraries() -> dict[str, Any]:
    """BLAS and LAPACK that NumPy was built with, and the threads they may use."""
    import numpy

    built = numpy.show_config(mode="dicts")["Build Dependencies"]
    libraries = {
        kind: f"{built[kind].get('name', '?')} {built[kind].get('version', '')}".strip()
        for kind in ("blas", "lapack")
    }
    return libraries | {"threads": {name: os.environ.get(name, "") for name in _THREAD_VARIABLES}}
