"""Inside `strict_yaml`: how a file is read."""

from alliance_longitudinal.strict_yaml import read_document

__all__ = ["read_document"]
