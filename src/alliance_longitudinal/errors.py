"""Every exception that a user can meet. Imports nothing.

Each message says what is wrong, where it is, and what to do about it. The classes tell a program which
kind of thing is at fault: the data, the study file, a formula, a fit, or a report run.
"""

from collections.abc import Sequence


class AllianceError(Exception):
    """Base class of all errors that this package raises on purpose."""


class StudyError(AllianceError):
    """The study file (or batch or instrument file) is wrong."""


class DataError(AllianceError):
    """The tables have problems, which the message lists.

    Parameters
    ----------
    message : str
        The whole text, with all problems.
    problems : sequence of mapping, optional
        One mapping per problem, for programs: ``file, row, column, value, rule, message, remedy``.
    """

    def __init__(self, message: str, problems: Sequence[dict[str, object]] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class FormulaError(AllianceError):
    """A model formula cannot be read or does not fit the data."""


class FitError(AllianceError):
    """A model cannot be fitted, or its optimum is not verified."""


class ReportError(AllianceError):
    """A report or batch could not be made."""


class UsageError(AllianceError):
    """The request itself is wrong: an unknown notebook, or a parameter that the analysis does not take."""
