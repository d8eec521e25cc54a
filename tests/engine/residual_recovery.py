"""Recovery of a residual structure in simulation: bias, spread and coverage of 95 % intervals."""

import numpy as np
import pandas as pd

import alliance_longitudinal as al

TRUTH = {"phi": 0.5, "sd(b)/sd(a)": 1.6, "order": -0.4}


def one(seed, groups):
    """Groups of up to eight rows with gaps, random intercepts, AR1 residuals of two variances."""
    rng = np.random.default_rng(seed)
    parts = []
    for g in range(groups):
        order = np.sort(rng.choice(10, rng.integers(3, 9), replace=False))
        how = rng.choice(["a", "b"], len(order))
        r = TRUTH["phi"] ** np.abs(order[:, None] - order)
        sd = np.where(how == "b", TRUTH["sd(b)/sd(a)"], 1.0)
        e = sd * (np.linalg.cholesky(r) @ rng.normal(size=len(order)))
        y = 5 + TRUTH["order"] * order + rng.normal() * 1.2 + e
        parts.append(pd.DataFrame({"g": g, "order": order, "how": how, "y": y}))
    return pd.concat(parts, ignore_index=True)


def estimates(seed, groups):
    """Estimates and limits of every parameter of `TRUTH` for one seed."""
    model = al.MixedModel.from_formula(
        "y ~ order + (1 | g)", one(seed, groups), residual=al.AR1("order", strata="how")
    )
    res = model.fit(require_certificate=False)
    table = res.residual_parameters.set_index("name")[["estimate", "lower", "upper"]]
    limits = res.conf_int().loc["order"]
    table.loc["order"] = [res.params["order"], limits["lower"], limits["upper"]]
    return table.assign(failed=not res.converged)


def summarise(tables):
    """``bias, spread, coverage, failed`` of every parameter over the tables of `estimates`."""
    out = pd.concat(tables).rename_axis("name").reset_index()
    truth = out["name"].map(TRUTH)
    out = out.assign(bias=out["estimate"] - truth, inside=(out["lower"] <= truth) & (truth <= out["upper"]))
    grouped = out.groupby("name")
    return pd.DataFrame(
        {
            "bias": grouped["bias"].mean(),
            "spread": grouped["bias"].std(),
            "coverage": grouped["inside"].mean(),
            "failed": grouped["failed"].sum(),
        }
    )


def recovery(seeds, groups):
    """`summarise` over the seeds."""
    return summarise([estimates(seed, groups) for seed in seeds])
