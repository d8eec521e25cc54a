"""A measure of a study: an instrument as one rater filled it in, and the block that asked for it."""

from dataclasses import dataclass

from alliance_longitudinal.data.study_file.format import MeasureBlock
from alliance_longitudinal.language import translated
from alliance_longitudinal.measures.instrument import Instrument, MissingRule


@dataclass(frozen=True, slots=True)
class Measure:
    """One instrument as one rater filled it in: a column of ``study.sessions``.

    Attributes
    ----------
    name : str
        Column of the total score in ``study.sessions``; subscales stand in ``<name>_<subscale>``.
    construct : {"alliance", "symptoms"}
    rater : str
        ``client``, ``therapist``, ``observer``.
    instrument : Instrument
    timing : {"start", "end"}
        Whether it is filled in before or after the session.
    """

    name: str
    construct: str
    rater: str
    instrument: Instrument
    timing: str = "start"

    @property
    def label(self) -> str:
        """Name for people, such as ``WAI-SR (client)``."""
        return f"{self.instrument.label} ({translated(self.rater)})"


@dataclass(frozen=True, slots=True)
class PlannedMeasure:
    """A measure and the block of the study file that it comes from.

    Attributes
    ----------
    measure : Measure
        Its instrument is the one that people see: for a subscale, the subscale alone.
    block : MeasureBlock
    form : Instrument
        The whole questionnaire, by which it is scored.
    items : tuple of int
        Item number of each header; empty for a total.
    headers : tuple of str
    points : float
        What one unit of a total in the table is in points of the instrument: the number of items where the table holds
        item means and the instrument counts sums.
    """

    measure: Measure
    block: MeasureBlock
    form: Instrument
    items: tuple[int, ...]
    headers: tuple[str, ...]
    points: float = 1.0

    @property
    def rule(self) -> MissingRule:
        """The missing-item rule that holds: the study's own, else the instrument's."""
        own = self.block.missing
        if own is None:
            return self.form.missing
        scale = self.block.scale
        return MissingRule(own.rule, own.max_missing, {} if scale is None else {scale: own.max_missing})
