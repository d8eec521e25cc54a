"""Inside `data.readers`: broken bytes of single formats."""

from alliance_longitudinal.data.readers import csv_text, database, excel, files
from alliance_longitudinal.data.readers.extras import EXTRAS
from alliance_longitudinal.data.readers.one_select import is_one_select

__all__ = ["EXTRAS", "csv_text", "database", "excel", "files", "is_one_select"]
