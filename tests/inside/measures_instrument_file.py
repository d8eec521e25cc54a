"""Inside `measures.instrument_file`: mistakes in instrument files."""

from alliance_longitudinal.measures.instrument_file import InstrumentFile, read_instrument

__all__ = ["InstrumentFile", "read_instrument"]
