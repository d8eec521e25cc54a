"""Public data sets: polished optima of R with small-sample figures, and what was known beforehand to the last digit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from reference import generalised
from reference.figures import Figure, Table, Topic, beside, printed, where_at_hand
from reference.page import page
from reference.topics import public_data, published

#: Its fit takes seconds; `make parity` compares it, and tests/engine/test_crossing.py its optimum.
LONG = "InstEval"
MODELS = [m for m in public_data.known()["models"] if m["name"] != LONG]
#: Generalised models, residual structures and the profile of sleepstudy are pinned in tests/engine.
ELSEWHERE = {m["name"] for m in generalised.reference()["models"]} | {"sleepstudy_ml", LONG}
PRINTED = [e for e in published.known()["printed"] if e["program"] != "nlme" and e["model"] not in ELSEWHERE]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m["name"])
def test_every_figure_agrees_with_r(model):
    try:
        table = public_data.table(model)
    except FileNotFoundError:
        pytest.skip(f"the rows of {model['data']} are not here; make_public.R writes them")
    off = [f for f in table.figures if not f.agrees]
    assert not off, "\n".join(map(str, off))
    assert public_data.fitted(model["name"]).converged
    asked = [key for key in ("kr", "cr2", "joint") if model.get(key)]
    assert len(table.figures) >= 2 + (2 + 2 * len(asked)) * len(model["params"]) * ("joint" not in asked)


@pytest.mark.parametrize("entry", PRINTED, ids=lambda e: f"{e['model']}: {e['program']}")
def test_figures_known_beforehand(entry):
    """To the last printed digit; what differs is named in printed.toml with its reason, and does differ."""
    try:
        found = published.figures(entry)
    except FileNotFoundError:
        pytest.skip(f"the rows of {entry['model']} are not here; the scripts of R write them")
    assert {f.quantity for f in found if not f.agrees} == set(entry.get("differ", {}))


def test_a_fake_kenward_roger_would_fail_on_machines():
    """Satterthwaite's F has 5 degrees of freedom and is not scaled; Kenward and Roger's has 4."""
    kr, other = (public_data.fitted("Machines", kind) for kind in ("kenward-roger", "satterthwaite"))
    tests = [r.f_test([{"Machine[T.B]": 1.0}, {"Machine[T.C]": 1.0}]) for r in (kr, other)]
    assert [round(t.df_den, 6) for t in tests] == [4, 5]
    assert tests[0].statistic == pytest.approx(32.80302, abs=6e-6)  # half a unit, and rounding twice
    assert tests[1].statistic == pytest.approx(41.00377, abs=1e-5)


def test_the_trial_s_limit_lies_at_the_cut_by_a_search_apart_from_this_engine():
    """lme4 prints 5.3925 or 5.3906 from another start; at 5.3925 the deviance is 0.0060 below the cut."""
    try:
        result = public_data.fitted("BtheB, slopes, ML")
    except FileNotFoundError:
        pytest.skip("the rows of BtheB are not here; make_public.R writes them")
    term, design = result.fit.design.terms[0], result.fit.design
    codes = design.factors[0].codes
    sizes = np.bincount(codes)
    stacks = [  # groups of equal size at once
        np.array([np.flatnonzero(codes == g) for g in np.flatnonzero(sizes == n)])
        for n in np.unique(sizes[sizes > 0])
    ]
    full = np.column_stack([design.x, design.y])

    def deviance(theta, sd):
        psi = np.outer([sd, theta[0]], [sd, theta[0]]) + np.diag([0, theta[1] ** 2])
        total, cross = len(design.y) * np.log(2 * np.pi), np.zeros((full.shape[1],) * 2)
        for rows in stacks:
            z = term.z[rows]
            v = z @ psi @ z.swapaxes(1, 2) + np.exp(theta[2]) * np.eye(rows.shape[1])
            total += np.linalg.slogdet(v)[1].sum()
            cross += (full[rows].swapaxes(1, 2) @ np.linalg.solve(v, full[rows])).sum(axis=0)
        return total + 1 / np.linalg.inv(cross)[-1, -1]

    def rise(sd):
        options = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000}
        found = optimize.minimize(
            deviance, (0.3, 0.3, np.log(25)), args=(sd,), method="Nelder-Mead", options=options
        )
        return found.fun - result.deviance

    limits = result.conf_int(method="profile", which="sd(Intercept)|subject")
    cut = stats.chi2.ppf(0.95, 1)
    assert rise(limits["lower"].iloc[0]) == pytest.approx(cut, abs=1e-7)
    assert rise(5.3925036) == pytest.approx(cut - 0.0060, abs=1e-4)


def example(**changes):
    figures = (Figure("x|g: SE", 1.0, 1.0 + 1e-9, 1e-6), Figure("df", 5.0, 5.5, 0.1, "pbkrtest 1"))
    topic = Topic("Models", "By R.", "1e-6.", (Table("one", "`y ~ x`.", "lme4 2", figures),))
    return replace(topic, **changes)


def test_the_page_names_what_differs_first_with_its_reason():
    text = page([example(absent=("egsingle",))], {("one", "df"): "lme4 stopped early"})
    assert "**1 of 2 figures agree.** The rest comes first, with the reason." in text
    assert "not on this machine: egsingle." in text
    assert "| one | df | 5 (pbkrtest 1) | 5.5 | lme4 stopped early |" in text
    assert text.index("lme4 stopped early") < text.index("### one")
    assert "| x\\|g: SE | lme4 2 | 1 | 1 | yes |" in text
    assert "| df | pbkrtest 1 | 5 | 5.5 | **no**, by 5.0e-01 |" in text
    assert "| Models | 2 | 1 | lme4 2, pbkrtest 1 |" in text
    assert "**not known**" in page([example()], {})


def test_figures_as_printed_are_known_to_half_a_unit():
    assert printed("SE", "0.130", 0.13049).agrees
    assert not printed("SE", "0.130", 0.1308).agrees
    assert printed("SE", "0.130", 0.1308, units=1).agrees


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        beside(["a", "b"], [1.0, 2.0], [1.0])


def test_what_is_not_at_hand_is_named():
    def table(name):
        if name == "gone":
            raise FileNotFoundError(name)
        return Table(name, "", "", ())

    tables, absent = where_at_hand(["here", "gone"], str, table)
    assert [t.title for t in tables] == ["here"]
    assert absent == ("gone",)
