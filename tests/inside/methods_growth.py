"""Inside `methods.growth`: single shapes, compared with published figures, classes of single courses, and the functions of time of expected courses."""

from alliance_longitudinal.methods.growth.confusion import CLASSES, classes, course_class
from alliance_longitudinal.methods.growth.course_time import CourseTime
from alliance_longitudinal.methods.growth.shapes import turning_point

__all__ = ["CLASSES", "CourseTime", "classes", "course_class", "turning_point"]
