"""The field's statistics on plain frames and arrays: no study, no report, no figures.

Public names are loaded when they are first used, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.actor_partner import actor_partner
    from alliance_longitudinal.methods.dyads.one_with_many import one_with_many
    from alliance_longitudinal.methods.dyads.response_surface import response_surface, response_surface_fit
    from alliance_longitudinal.methods.dyads.sources import by_source
    from alliance_longitudinal.methods.dyads.truth_and_bias import truth_and_bias
    from alliance_longitudinal.methods.events.chart import chance_of_drop, control_chart
    from alliance_longitudinal.methods.events.ruptures import find_ruptures
    from alliance_longitudinal.methods.growth.expected import ExpectedCourse
    from alliance_longitudinal.methods.growth.held_out import chance_beyond, held_out_courses
    from alliance_longitudinal.methods.growth.shapes import growth_shapes
    from alliance_longitudinal.methods.mediation.latent import latent_mediation
    from alliance_longitudinal.methods.mediation.paths import indirect_paths, unmeasured_confounding
    from alliance_longitudinal.methods.mediation.product import product_interval
    from alliance_longitudinal.methods.mediation.within import mediate
    from alliance_longitudinal.methods.meta.correlations import from_correlations
    from alliance_longitudinal.methods.meta.meta_analysis import meta_analysis
    from alliance_longitudinal.methods.missing.impute import delta_adjusted, impute
    from alliance_longitudinal.methods.missing.pattern_mixture import pattern_mixture
    from alliance_longitudinal.methods.panel.decompose import decompose
    from alliance_longitudinal.methods.panel.dynamic_panel import dynamic_panel
    from alliance_longitudinal.methods.panel.lag import lag
    from alliance_longitudinal.methods.panel.latent_contextual import latent_contextual
    from alliance_longitudinal.methods.panel.riclpm import riclpm, riclpm_from_moments
    from alliance_longitudinal.methods.planning.bounded import power_between_reml, power_within_reml
    from alliance_longitudinal.methods.planning.caseloads import power_variance_unequal
    from alliance_longitudinal.methods.planning.closed_forms import (
        power_between,
        power_partial,
        power_slopes,
        power_variance,
        power_within,
    )
    from alliance_longitudinal.methods.planning.detectable import detectable_effect, power_effect
    from alliance_longitudinal.methods.planning.plan import StudyPlan
    from alliance_longitudinal.methods.planning.simulate import simulate_plan
    from alliance_longitudinal.methods.prediction.added import added_value
    from alliance_longitudinal.methods.prediction.flag import flag_accuracy
    from alliance_longitudinal.methods.prediction.risk import cross_fitted, risk_accuracy
    from alliance_longitudinal.methods.probing.johnson_neyman import johnson_neyman
    from alliance_longitudinal.methods.probing.least_squares import clustered_slope
    from alliance_longitudinal.methods.probing.shuffles import permuted_slopes, shuffles
    from alliance_longitudinal.methods.probing.specification_curve import permuter, specification_curve
    from alliance_longitudinal.methods.psychometrics.change.classify import classify_change
    from alliance_longitudinal.methods.psychometrics.gains.find import find_sudden_gains
    from alliance_longitudinal.methods.psychometrics.reliability.raters import rater_agreement
    from alliance_longitudinal.methods.survival.cumulative_incidence import cumulative_incidence
    from alliance_longitudinal.methods.survival.interval_censored import interval_censored
    from alliance_longitudinal.methods.survival.person_period import person_period

#: Public name -> module that defines it.
_PUBLIC = {
    "ExpectedCourse": "growth.expected",
    "StudyPlan": "planning.plan",
    "actor_partner": "dyads.actor_partner",
    "added_value": "prediction.added",
    "by_source": "dyads.sources",
    "chance_beyond": "growth.held_out",
    "chance_of_drop": "events.chart",
    "classify_change": "psychometrics.change.classify",
    "clustered_slope": "probing.least_squares",
    "control_chart": "events.chart",
    "cross_fitted": "prediction.risk",
    "cumulative_incidence": "survival.cumulative_incidence",
    "decompose": "panel.decompose",
    "delta_adjusted": "missing.impute",
    "detectable_effect": "planning.detectable",
    "dynamic_panel": "panel.dynamic_panel",
    "find_ruptures": "events.ruptures",
    "find_sudden_gains": "psychometrics.gains.find",
    "flag_accuracy": "prediction.flag",
    "from_correlations": "meta.correlations",
    "growth_shapes": "growth.shapes",
    "held_out_courses": "growth.held_out",
    "impute": "missing.impute",
    "indirect_paths": "mediation.paths",
    "interval_censored": "survival.interval_censored",
    "johnson_neyman": "probing.johnson_neyman",
    "lag": "panel.lag",
    "latent_contextual": "panel.latent_contextual",
    "latent_mediation": "mediation.latent",
    "mediate": "mediation.within",
    "meta_analysis": "meta.meta_analysis",
    "one_with_many": "dyads.one_with_many",
    "pattern_mixture": "missing.pattern_mixture",
    "permuted_slopes": "probing.shuffles",
    "permuter": "probing.specification_curve",
    "person_period": "survival.person_period",
    "power_between": "planning.closed_forms",
    "power_between_reml": "planning.bounded",
    "power_effect": "planning.detectable",
    "power_partial": "planning.closed_forms",
    "power_slopes": "planning.closed_forms",
    "power_variance": "planning.closed_forms",
    "power_variance_unequal": "planning.caseloads",
    "power_within": "planning.closed_forms",
    "power_within_reml": "planning.bounded",
    "product_interval": "mediation.product",
    "rater_agreement": "psychometrics.reliability.raters",
    "response_surface": "dyads.response_surface",
    "response_surface_fit": "dyads.response_surface",
    "riclpm": "panel.riclpm",
    "riclpm_from_moments": "panel.riclpm",
    "risk_accuracy": "prediction.risk",
    "shuffles": "probing.shuffles",
    "simulate_plan": "planning.simulate",
    "specification_curve": "probing.specification_curve",
    "truth_and_bias": "dyads.truth_and_bias",
    "unmeasured_confounding": "mediation.paths",
}

__all__ = [
    "ExpectedCourse",
    "StudyPlan",
    "actor_partner",
    "added_value",
    "by_source",
    "chance_beyond",
    "chance_of_drop",
    "classify_change",
    "clustered_slope",
    "control_chart",
    "cross_fitted",
    "cumulative_incidence",
    "decompose",
    "delta_adjusted",
    "detectable_effect",
    "dynamic_panel",
    "find_ruptures",
    "find_sudden_gains",
    "flag_accuracy",
    "from_correlations",
    "growth_shapes",
    "held_out_courses",
    "impute",
    "indirect_paths",
    "interval_censored",
    "johnson_neyman",
    "lag",
    "latent_contextual",
    "latent_mediation",
    "mediate",
    "meta_analysis",
    "one_with_many",
    "pattern_mixture",
    "permuted_slopes",
    "permuter",
    "person_period",
    "power_between",
    "power_between_reml",
    "power_effect",
    "power_partial",
    "power_slopes",
    "power_variance",
    "power_variance_unequal",
    "power_within",
    "power_within_reml",
    "product_interval",
    "rater_agreement",
    "response_surface",
    "response_surface_fit",
    "riclpm",
    "riclpm_from_moments",
    "risk_accuracy",
    "shuffles",
    "simulate_plan",
    "specification_curve",
    "truth_and_bias",
    "unmeasured_confounding",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
