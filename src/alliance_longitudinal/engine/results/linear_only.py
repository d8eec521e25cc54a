"""Questions of linear mixed models that a generalised one does not answer, and what to ask instead."""

from typing import NoReturn

from alliance_longitudinal.errors import FitError

#: Name of a method or attribute of linear results -> what to do with a generalised model.
INSTEAD = {
    "anova": "Ask f_test() for one term at a time.",
    "means": "Ask contrast() for sums of coefficients, or predict(grid, groups=False) for a grid of values.",
    "slopes": "Ask contrast() for sums of coefficients.",
    "profile": "Ask conf_int(method='profile') for the limits.",
    "variance_power": "Simulate responses and compare fits with and without the effect by lrt().",
    "variance_tests": "Compare with a fit without the effect by lrt().",
    "simulated_tests": "Simulate responses with simulate() and fit each.",
    "refit": "Fit the other response with from_formula.",
    "influence": "Fit anew without a group's rows and compare.",
    "residuals": "Compare the response with what simulate() draws.",
    "resid": "Compare the response with what simulate() draws.",
    "envelope": "Compare the response with what simulate() draws.",
    "caterpillar": "Take random_effects and random_effects_sd.",
    "r2": "Ask icc() for shares of the latent variance around the fixed part.",
    "scale": "It has no residual variance; varcorr has the others.",
    "residual_parameters": "It has no residual; varcorr has its variances.",
}


class NotForThisFamily(FitError, AttributeError):
    """A question of linear mixed models that a generalised one does not answer; absent for ``hasattr``, too."""


class LinearOnly:
    """Answers the names of `INSTEAD` with a sentence."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        if name in INSTEAD:
            raise NotForThisFamily(f"{name!r} is not available for generalised models. {INSTEAD[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
