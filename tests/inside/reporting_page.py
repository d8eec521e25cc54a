"""Inside `reporting.page`: pages of results that no analysis gives."""

from alliance_longitudinal.reporting.page.flow import Box, flow_boxes
from alliance_longitudinal.reporting.page.render import no_break, write_report
from alliance_longitudinal.reporting.page.table_text import csv_text
from alliance_longitudinal.reporting.page.unbroken import whole

__all__ = ["Box", "csv_text", "flow_boxes", "no_break", "whole", "write_report"]
