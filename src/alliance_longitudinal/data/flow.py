"""The sample flow: who is in an analysis, who is not, and why, counted by the filters themselves."""

from dataclasses import asdict, dataclass

import pandas as pd


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One filter. Counts are of table rows (sessions) and of distinct clients and therapists."""

    step: str
    reason: str
    rows_in: int
    rows_out: int
    clients_in: int
    clients_out: int
    therapists_in: int
    therapists_out: int

    @property
    def rows_lost(self) -> int:
        """Rows removed by this filter."""
        return self.rows_in - self.rows_out

    @property
    def clients_lost(self) -> int:
        """Clients removed by this filter."""
        return self.clients_in - self.clients_out


def _counts(frame: pd.DataFrame) -> tuple[int, int, int]:
    therapists = int(frame["therapist"].nunique()) if "therapist" in frame else 0
    return len(frame), int(frame["client"].nunique()), therapists


@dataclass(frozen=True, slots=True)
class SampleFlow:
    """The ordered filters that led from the files to the analysed rows. Immutable: each filter returns a new flow.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"client": ["1", "1", "2"], "therapist": "T1", "phq9": [10.0, None, None]})
    >>> rated, flow = SampleFlow().filter(rows, rows["phq9"].notna(), "rated sessions", "no PHQ-9 score")
    >>> flow.steps[0].rows_lost, flow.steps[0].clients_lost
    (2, 1)
    """

    steps: tuple[FlowStep, ...] = ()

    def filter(
        self, frame: pd.DataFrame, keep: "pd.Series[bool]", step: str, reason: str
    ) -> tuple[pd.DataFrame, "SampleFlow"]:
        """Keep the rows where ``keep`` is true and record what that cost.

        Parameters
        ----------
        frame : DataFrame
            Has a column ``client`` and, if known, ``therapist``. Not changed.
        keep : Series of bool, shape (len(frame),)
            Aligned with ``frame`` by position.
        step, reason : str
            What the remaining rows are, and why the others left, in words for the reader.
        """
        out = frame.loc[keep.to_numpy(dtype=bool)]
        return out, self.record(frame, out, step, reason)

    def record(self, before: pd.DataFrame, after: pd.DataFrame, step: str, reason: str) -> "SampleFlow":
        """Record a step whose rows were selected elsewhere."""
        rows_in, clients_in, therapists_in = _counts(before)
        rows_out, clients_out, therapists_out = _counts(after)
        new = FlowStep(
            step, reason, rows_in, rows_out, clients_in, clients_out, therapists_in, therapists_out
        )
        return SampleFlow((*self.steps, new))

    def to_records(self) -> list[dict[str, object]]:
        """Plain data, one mapping a step, losses included."""
        return [asdict(s) | {"rows_lost": s.rows_lost, "clients_lost": s.clients_lost} for s in self.steps]
