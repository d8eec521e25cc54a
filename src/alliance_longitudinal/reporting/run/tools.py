"""Imports what a report needs, before its processes are copied; nothing of a report runs here."""

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

#: What reports never import: the command line, what draws widgets, and what supervises.
_NOT_NEEDED = (".cli", ".reporting.explore", ".reporting.batch", ".reporting.run.warm", ".__main__")
#: Imported inside functions of the package.
_LATER = (
    *(
        "pandas",
        "pandas.io.formats.csvs",
        "pyarrow.csv",
        "scipy.linalg",
        "scipy.optimize",
        "scipy.special",
        "formulaic",
    ),
    *("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg"),
)
#: A study as small as they come, in the columns of a simulated clinic.
_STUDY = """\
study: Nobody's
tables:
  sessions: {file: sessions.csv, columns: {client: client, therapist: therapist, session: session, week: week}}
measures:
  alliance: {instrument: wai_sr, total: wai}
  symptoms: {instrument: phq_9, total: phq9}
"""


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

    for name in ("report.html.j2", "parts.html.j2"):
        template(name)
    _check_once()


def _check_once() -> None:
    """Let the schemas of notebooks and results be compiled, which takes longer than to hold something to them."""
    import nbformat

    from alliance_longitudinal.reporting.run.results import results_validator

    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]))  # type: ignore[no-untyped-call]
    results_validator()


def import_analyses(meanwhile: Callable[[], None] = lambda: None) -> None:
    """The whole package and what it computes and draws with; ``meanwhile`` is called every now and then."""
    import alliance_longitudinal as al

    for name in _LATER:
        import_module(name)
        meanwhile()
    for found in walk_packages(al.__path__, "alliance_longitudinal."):
        if not found.name.startswith(tuple(f"alliance_longitudinal{part}" for part in _NOT_NEEDED)):
            with suppress(ImportError):  # a part that needs an extra which is not installed
                import_module(found.name)
            meanwhile()


def use_once() -> None:
    """Use references, study, model and figure once: they, compiled functions and fonts are loaded when they are first used."""
    import alliance_longitudinal as al
    from alliance_longitudinal.analyses.kit.references import keys
    from alliance_longitudinal.reporting.run.owner import remove, temporary_folder

    keys()
    rows = al.simulate_clinic(1, clients=40, therapists=6, items=False).sessions
    folder = temporary_folder()  # swept away by the next report if this process is killed here
    try:
        study = folder / "study.yaml"
        study.write_text(_STUDY, encoding="utf-8")
        # Marks inside a field: such a file is read without Arrow's threads, after which no copy could be made.
        rows.assign(note='a "mark"').to_csv(study.with_name("sessions.csv"), index=False)
        al.load_study(study)
    finally:
        remove(folder)
    model = al.MixedModel.from_formula("phq9 ~ week * wai + (1 + week | therapist/client)", rows).fit()
    model.conf_int(method="profile")
    al.MixedModel.from_formula("phq9 ~ week + (1 | therapist/client)", rows).fit()
    al.plot(model, "caterpillar").svg("", "")
