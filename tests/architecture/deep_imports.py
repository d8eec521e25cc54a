"""What tests may import from inside a part, how often at most, and why; everything else comes by the part's door.

A door is a package whose ``__init__`` names what others use: ``alliance_longitudinal``, its parts, ``analyses.kit``,
``analyses.disclosure``. A test that goes through a door survives a move. The numbers may fall and not rise: a new test goes through a door, or its name gets one.
"""

#: Room -> (most imports in all tests, why users have no door to it).
ROOMS = {
    "analyses.data_quality": (13, "checks of single forms, which a report shows only in sums"),
    "analyses.dropout": (3, "rows at risk, steps of the hazard and thirds of known data"),
    "analyses.early_alliance": (14, "a design with known truth, fitted without a study"),
    "analyses.kit": (6, "rules of structure and norms that are known, on plain frames"),
    "analyses.measurement": (7, "improper solutions, which no study file gives at will"),
    "analyses.publish": (1, "the name of a variable that the report's process sets"),
    "analyses.registry": (6, "tests over every analysis there is"),
    "data.cells": (3, "fuzzed words and numbers"),
    "data.demo": (8, "writes the demonstration study where a test wants it"),
    "data.readers": (4, "broken bytes of single formats"),
    "data.study_file": (6, "schemas, and plans of study files"),
    "engine.design": (19, "designs for the oracles"),
    "engine.diagnostics": (11, "compared with n by n matrices"),
    "engine.distributions": (1, "compared with scipy"),
    "engine.families": (9, "criteria that are checked by brute force"),
    "engine.fit": (2, "a fit at values that are not the optimum"),
    "engine.fitted": (4, "rows and equations for the oracles"),
    "engine.generalised_fit": (5, "a fit at values that are not the optimum"),
    "engine.generalised_model": (1, "fails on purpose"),
    "engine.inference": (28, "profiles and tests that are checked by brute force"),
    "engine.linalg": (25, "the dense oracle, and kernels with their twins"),
    "engine.resampling": (8, "seeds and draws"),
    "engine.search": (19, "the criterion at given values, and the search on functions with known minima"),
    "engine.sources": (5, "files that change while they are read"),
    "engine.statistics": (39, "four kinds of statistics that must agree"),
    "measures.instrument_file": (2, "mistakes in instrument files"),
    "methods.basics": (10, "compared with published figures"),
    "methods.fiml": (16, "likelihoods that are checked by brute force"),
    "methods.growth": (2, "single shapes, compared with published figures"),
    "methods.psychometrics": (50, "compared with published figures and R, method by method"),
    "present.plots": (2, "the style that figures share"),
    "reporting.batch": (16, "plans, claims and differences without running a notebook"),
    "reporting.page": (7, "pages of results that no analysis gives"),
    "reporting.record": (26, "folders that break, manifests that were changed by hand"),
    "reporting.run": (8, "processes that fail"),
}
