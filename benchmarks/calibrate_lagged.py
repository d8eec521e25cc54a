"""Repeats the estimators of `lagged_effects` on simulated clinics with and without feedback: bias and coverage.

`make calibrate` writes docs/calibration/lagged.md. The truth is a parameter of the generator: symptom points at a session
per alliance point of the session before. With feedback, the alliance follows earlier improvement.
"""

from calibration import Plan, Row, main

from alliance_longitudinal import methods, simulate_clinic

#: Neither symptoms nor the alliance have lines of clients: what differs between their rates of change is off.
NO_LINES = {
    "early_rate_sd": 0.0,
    "client_slope_sd": 0.0,
    "therapist_slope_sd": 0.0,
    "within": 0.0,
    "between": 0.0,
    "intake_effect": 0.0,
    "change_effect": 0.0,
}
LARGE, SMALL = (30, 450), (10, 150)
NO_ANSWER = {"alliance_by_improvement": 0.0}
MAKES = {
    "30 therapists, 450 clients; feedback on": (LARGE, {}),
    "30 therapists, 450 clients; feedback on, no client lines": (LARGE, NO_LINES),
    "10 therapists, 150 clients; feedback on": (SMALL, {}),
    "30 therapists, 450 clients; feedback off": (LARGE, NO_ANSWER),
}
#: World -> size, further truths of the generator, effect.
WORLDS = {f"{make}; effect {t:g}": (*own, t) for make, own in MAKES.items() for t in (0.0, -0.15)}
#: Fewest therapists for errors by therapist, as in the analysis.
CLUSTERED = 20
NAMES = {
    "main": "main model (lower AIC, with client lines or without)",
    "levels": "cross-lagged panel with client levels",
    "lines": "cross-lagged panel with client lines",
    "likelihood": "dynamic panel, likelihood",
    "likelihood_no_lines": "dynamic panel, likelihood (clients have no lines)",
    "system": "dynamic panel, GMM system",
    "centred": "within clients, least squares with the last score",
}


def one(seed: int, world: str) -> list[Row]:
    """Estimate and interval of each estimator on one clinic, sessions 6 to 11; those that did not converge are left out."""
    (therapists, clients), more, truth = WORLDS[world]
    rows = simulate_clinic(
        seed, therapists=therapists, clients=clients, items=False, lagged_alliance=truth, **more
    ).sessions
    rows = rows[rows["session"].between(6, 11)]
    cluster = "therapist" if therapists >= CLUSTERED else None
    cross = {
        k: methods.riclpm(
            rows, "wai", "phq9", "client", "session", random_slopes=k == "lines", cluster=cluster
        )
        for k in ("levels", "lines")
    }
    lower = cross["lines"].converged and cross["lines"].aic < cross["levels"].aic
    cross["main"] = cross["lines" if lower else "levels"]
    call = {"y": "phq9", "person": "client", "time": "session", "predetermined": "wai"}
    panels = {
        "likelihood_no_lines" if more is NO_LINES else "likelihood": methods.dynamic_panel(
            rows, **call, contemporaneous=True, cluster=cluster
        ),
        "system": methods.dynamic_panel(
            rows, **call, method="system-gmm", steps=2, collapse=True, time_effects=True
        ),
        "centred": methods.dynamic_panel(rows, **call, method="within", time_effects=True),
    }
    found = [(name, r, "x_to_y") for name, r in cross.items()] + [
        (name, r, "wai_lag") for name, r in panels.items()
    ]
    return [
        {
            "name": name,
            "truth": truth,
            "estimate": float(r.params[term]),
            "se": float(r.bse[term]),
            "low": float(r.params[term] - 1.959964 * r.bse[term]),
            "high": float(r.params[term] + 1.959964 * r.bse[term]),
        }
        for name, r, term in found
        if r.converged
    ]


PLAN = Plan(
    "lagged",
    "effects from session to session (lagged_effects)",
    """
Sessions 6 to 11. Clients have lines of their own (but for the worlds that say so), the alliance and the symptoms of one session are
related, and clients leave. With feedback, the alliance follows earlier improvement. Errors allow for clients of one therapist where
there are 30. Sets: runs that converged.
""",
    list(WORLDS),
    one,
    ["main", "likelihood_no_lines"],
    "effect of the last alliance on symptoms",
    NAMES,
    """
## Reading the table

- The main model of `lagged_effects` is the cross-lagged panel with the lower AIC.
- The dynamic panel by likelihood is shown beside it. It has no lines of clients. Where clients have none, it recovers the truth,
  with feedback; where they have them it is biased. With `person_trends=True` it has them, but then a predictor may not go with the
  outcome of the same session.
- Within clients by least squares, carry-over is too low (Nickell's bias); the effect of the alliance suffers from that only
  where carry-over or feedback are strong.
- With 10 therapists and 150 clients every estimate varies so much that no effect of this size would be found.
""",
    apart=("likelihood", "system", "centred", "levels", "lines"),
    heads=("world", "estimator"),
    short="the dynamic panels, shown with the main model, are biased where clients have their own trend lines",
)

if __name__ == "__main__":
    main(PLAN, __doc__)
