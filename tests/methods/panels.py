"""Small panels with gaps, missing values and rows in any order."""

import numpy as np
import pandas as pd


def panel(seed: int, clients: int = 25, therapists: int = 6) -> pd.DataFrame:
    """Clients of therapists with sessions left out, values left out, shuffled rows and an index with repeats."""
    rng = np.random.default_rng(seed)
    rows = []
    for client in range(clients):
        therapist = f"T{rng.integers(therapists)}"
        sessions = np.sort(rng.choice(np.arange(1, 13), size=rng.integers(1, 9), replace=False))
        rows += [(f"C{client}", therapist, int(s), *rng.normal(size=2)) for s in sessions]
    frame = pd.DataFrame(rows, columns=["client", "therapist", "session", "x", "y"])
    for name in ("x", "y"):
        frame.loc[rng.random(len(frame)) < 0.2, name] = np.nan
    frame = frame.sample(frac=1, random_state=seed)
    return frame.set_index(pd.Index(rng.integers(0, 5, len(frame)), name="row"))
