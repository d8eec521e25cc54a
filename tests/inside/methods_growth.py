"""Inside `methods.growth`: single shapes, compared with published figures, and classes of single courses."""

from alliance_longitudinal.methods.growth.confusion import CLASSES, classes
from alliance_longitudinal.methods.growth.shapes import course_class, turning_point

__all__ = ["CLASSES", "classes", "course_class", "turning_point"]
