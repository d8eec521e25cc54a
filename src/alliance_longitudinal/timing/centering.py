"""Splits a client-level predictor into a therapist part and a client part."""

import pandas as pd


def split_by_therapist(clients: pd.DataFrame, column: str) -> pd.DataFrame:
    """Therapist mean and client deviation of ``column``.

    The therapist mean is the mean of the client values (each client counts once, however many sessions), so
    ``<column>_client`` carries only differences between clients of one therapist and its coefficient is the
    within-therapist effect; that of ``<column>_therapist`` is the between-therapist effect
    (Raudenbush & Bryk 2002, chapter 5; Baldwin, Wampold & Imel 2007, doi 10.1037/0022-006X.75.6.842).

    Parameters
    ----------
    clients : DataFrame, one row per client
        Has ``therapist`` and ``column``. Not changed.
    column : str

    Returns
    -------
    DataFrame
        ``clients`` with ``<column>_total`` (minus the mean over clients), ``<column>_therapist`` (therapist mean
        minus the mean over clients) and ``<column>_client`` (value minus therapist mean), in the units of ``column``.
    """
    out = clients.copy()
    values = out[column]
    means = values.groupby(out["therapist"]).transform("mean")
    out[f"{column}_total"] = values - values.mean()
    out[f"{column}_therapist"] = means - values.mean()
    out[f"{column}_client"] = values - means
    return out
