"""Imports what a report needs, before its processes are copied; nothing of a report runs here."""

import sys
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

#: What reports never import: the command line, what draws widgets, and what supervises.
_NOT_NEEDED = (".cli", ".reporting.explore", ".reporting.batch", ".reporting.run.warm", ".__main__")
#: Imported inside functions of the package.
_LATER = (
    *("pandas", "scipy.linalg", "scipy.optimize", "scipy.special", "scipy.stats", "formulaic"),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
)


def import_tools() -> None:
    """What every report needs to run a notebook and to write its page."""
    from alliance_longitudinal.reporting.run.lean import lean_imports

    sys.modules["debugpy"] = None  # type: ignore[assignment]
    with lean_imports():
        for name in ("papermill", "nbformat", "nbclient", "ipykernel.kernelapp", "ipykernel.ipkernel"):
            import_module(name)
    for name in ("child", "execute", "kernel", "results"):
        import_module(f"alliance_longitudinal.reporting.run.{name}")
    from alliance_longitudinal.reporting.page.render import template

    template("report.html.j2")


def import_analyses() -> None:
    """The whole package and what it computes and draws with."""
    import alliance_longitudinal as al

    for name in _LATER:
        import_module(name)
    for found in walk_packages(al.__path__, "alliance_longitudinal."):
        if not found.name.startswith(tuple(f"alliance_longitudinal{part}" for part in _NOT_NEEDED)):
            with suppress(ImportError):  # a part that needs an extra which is not installed
                import_module(found.name)


def use_once() -> None:
    """Use model and figure once: compiled functions and fonts are loaded when they are first used."""
    from io import BytesIO

    import alliance_longitudinal as al

    rows = al.simulate_clinic(1, clients=40, therapists=6, items=False).sessions
    model = al.MixedModel.from_formula("phq9 ~ week * wai + (1 + week | therapist/client)", rows).fit()
    model.conf_int(method="profile")
    al.MixedModel.from_formula("phq9 ~ week + (1 | therapist/client)", rows).fit()
    figure = al.plot(model, "caterpillar")
    for kind in ("svg", "png"):
        figure.savefig(BytesIO(), format=kind)
