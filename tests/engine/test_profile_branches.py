"""Profile limits where the likelihood has two branches: the limit is that of the lower one."""

import numpy as np
import pytest
from scipy import optimize

import alliance_longitudinal as al
from engine.designs import three_levels
from inside.engine_linalg import dense

FIXED = "y ~ week * rating + arm + "


TURNED = ([1, 0], [1, 0.2])  # scales of the outer and inner deviations


@pytest.mark.parametrize(
    ("seed", "outer", "unit", "at"), [(117, 5, 1 / 12, 1), (419, 8, 1, -1)], ids=["upper", "lower"]
)
def test_another_branch_of_the_profile_is_followed_to_its_end(seed, outer, unit, at):
    """Where one of its deviations is zero a correlation means nothing: none is less likely than the models without one."""
    frame = three_levels(seed, outer, inner=6, rows=7, truth=TURNED, unit=unit)
    res = al.MixedModel.from_formula(FIXED + "(1 + week | outer/inner)", frame).fit()
    without = [
        al.MixedModel.from_formula(f"{FIXED}({one} | outer) + (1 + week | outer:inner)", frame).fit().deviance
        for one in ("1", "0 + week")
    ]
    rise = min(without) - res.deviance
    assert 2.5 < rise < 3.84
    row = res.conf_int(method="profile", which="cor(Intercept,week)|outer").iloc[0]
    assert (row["lower"], row["upper"]) == (-1, 1)
    assert (
        f"a correlation of {at} is not excluded, the deviance rises by {rise:.2f}, less than 3.84"
        in row["note"]
    )


@pytest.mark.parametrize(
    ("seed", "outer", "truth"), [(211, 8, (0.0, 1)), (312, 6, (0.3, 1))], ids=["in its way", "far"]
)
def test_a_trial_on_a_worse_branch_does_not_bound_the_search(seed, outer, truth):
    """The deviance at the limit, with the correlation held there, by a general optimiser on dense matrices."""
    frame = three_levels(seed, outer, inner=6, rows=7, truth=truth)
    res = al.MixedModel.from_formula(FIXED + "(1 + week | outer/inner)", frame).fit()
    row = res.conf_int(method="profile", which="cor(Intercept,week)|inner:outer").iloc[0]
    assert "lower" not in row["note"]
    design = res.fit.design
    terms = [(t.z, design.factors[t.factor].codes) for t in design.terms]

    def deviance(x):
        sd, low = np.exp(x[:2]), np.array([[x[2], 0.0], [x[3], x[4]]])
        held = np.outer(sd, sd) * np.where(np.eye(2) > 0, 1.0, row["lower"])
        full = [
            (*term, held if t.group == "inner:outer" else low @ low.T)
            for term, t in zip(terms, design.terms, strict=True)
        ]
        v = dense.marginal_covariance(full, np.exp(x[5]), None, len(frame))
        return dense.deviance(design.y, design.x, v, True)

    starts = ([0.5, -0.7, 2.4, 0.2, 0.1, 1.5], [0.5, -0.7, 0.5, 0.0, 0.3, 1.0])
    least = min(optimize.minimize(deviance, x, method="BFGS").fun for x in starts)
    assert least == pytest.approx(res.deviance + 3.8415, abs=1e-3)


def test_a_limit_on_a_worse_branch_is_pushed_out_to_where_the_lower_one_ends():
    """The same for a standard deviation: the search from the fit ends at 0.81, where another start finds less."""
    frame = three_levels(1012, 6, inner=6, rows=7, truth=(0.3, 1))
    res = al.MixedModel.from_formula(FIXED + "(1 + week | outer/inner)", frame).fit()
    limit = res.conf_int(method="profile", which="sd(week)|outer").loc["sd(week)|outer", "upper"]
    design = res.fit.design
    terms = [(t.z, design.factors[t.factor].codes) for t in design.terms]

    def deviance(x):
        held = np.array([[x[0], 0.0], [limit * np.sin(x[1]), limit * np.cos(x[1])]])
        low = np.array([[x[2], 0.0], [x[3], x[4]]])
        full = [
            (*term, m @ m.T)
            for term, m in zip(
                terms, (held if t.group == "outer" else low for t in design.terms), strict=True
            )
        ]
        v = dense.marginal_covariance(full, np.exp(x[5]), None, len(frame))
        return dense.deviance(design.y, design.x, v, True)

    starts = ([3.0, -1.5, 2.0, 0.2, 0.1, 1.0], [1.0, 0.0, 2.0, 0.2, 0.1, 1.0], [3.0, 1.0, 0.5, 0.0, 0.1, 1.5])
    least = min(optimize.minimize(deviance, x, method="BFGS").fun for x in starts)
    assert least == pytest.approx(res.deviance + 3.8415, abs=1e-3)


@pytest.mark.parametrize(("seed", "side"), [(2080, "upper"), (2018, "lower")])
def test_a_coefficient_s_limit_is_where_the_model_with_it_held_loses_the_cut(seed, side):
    """The coefficient is held by an offset: that fit searches from several starts."""
    frame = three_levels(seed, 4 + seed % 5, inner=6, rows=7, truth=(1, [1, 0]) if seed == 2018 else (1, 1))
    random = " + (1 + week | outer/inner)"
    model = al.MixedModel.from_formula(FIXED.removesuffix(" + ") + random, frame)
    limit = model.fit().conf_int(method="profile", which="week").loc["week", side]
    without = "y ~ rating + week:rating + arm" + random
    held = al.MixedModel.from_formula(without, frame.assign(known=limit * frame["week"]), offset="known")
    rise = held.fit(reml=False).deviance - model.fit(reml=False).deviance
    assert rise == pytest.approx(3.8415, abs=1e-3)
