"""Commands beside the main ones: freezing a plan, opening a report's state."""

import argparse
import importlib.util
import subprocess
import sys

from alliance_longitudinal.cli.given import FAILED, FINE, done, parameters_of
from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting.record.terminal import say, say_data


def make_plan(options: argparse.Namespace) -> int:
    """``alliance plan``: freeze a plan."""
    from alliance_longitudinal.reporting.record.plans import ONE_MAIN, freeze

    path = freeze(
        options.study,
        options.notebook,
        parameters_of(options.parameter, None),
        options.out,
        main=options.main,
        hypotheses=options.hypothesis,
        multiplicity=options.multiplicity or ONE_MAIN,
        data_seen=options.data_seen,
        hash_data=options.hash_data,
    )
    done(options, path, plan=str(path))
    return FINE


def export_data(options: argparse.Namespace) -> int:
    """``alliance export``: the scored tables for SPSS and R."""
    from alliance_longitudinal.data import load_study
    from alliance_longitudinal.reporting.record.inputs import study_file

    formats = [part.strip() for part in options.format.split(",") if part.strip()]
    written = load_study(study_file(options.study)).export(options.out, formats, options.audience)
    if options.json:
        say_data(ok=True, files=[str(path) for path in written])
    else:
        say("\n".join(map(str, written)))
        say("These files have the rows of single clients. Do not pass them on.", error=True)
    return FINE


def open_report(options: argparse.Namespace) -> int:
    """``alliance open``: a copy of a report's notebook, in JupyterLab.

    Raises
    ------
    UsageError
        If JupyterLab is not installed.
    """
    from alliance_longitudinal.reporting.run.reopen import reopen

    start = not (options.no_lab or options.json)
    if start and importlib.util.find_spec("jupyterlab") is None:
        raise UsageError(
            "JupyterLab is not installed. Install it with: pip install 'alliance-longitudinal[lab]'. With --no-lab only "
            "the notebook is written."
        )
    opened = reopen(options.folder, options.out, study=options.study)
    if options.json:
        say_data(ok=True, notebook=str(opened.notebook), notes=list(opened.notes), kept=opened.kept)
        return FINE
    for note in opened.notes:
        say(note, error=True)
    if opened.kept:
        say("The notebook was there already and was left as it is.", error=True)
    say(opened.notebook)
    if not start:
        return FINE
    command = [sys.executable, "-m", "jupyterlab", str(opened.notebook)]
    return FINE if subprocess.run(command, check=False).returncode == 0 else FAILED
