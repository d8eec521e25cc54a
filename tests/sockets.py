"""Connections that a cluster leaves to the garbage collector, which would complain in a test that has nothing to do with them."""

import gc
import warnings


def sweep_sockets() -> None:
    """Collect what a closed cluster of Dask has not closed itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
