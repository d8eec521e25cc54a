"""Inside `methods.growth`: single shapes, compared with published figures."""

from alliance_longitudinal.methods.growth.shapes import course_class, turning_point

__all__ = ["course_class", "turning_point"]
