"""Inside `data.writers`: single tables as files of SPSS and R."""

from alliance_longitudinal.data.writers import rds as RDS_MODULE
from alliance_longitudinal.data.writers.rds import write_rds
from alliance_longitudinal.data.writers.spss import spss_names, write_sav
from alliance_longitudinal.data.writers.variable import Variable

__all__ = ["RDS_MODULE", "Variable", "spss_names", "write_rds", "write_sav"]
