"""The command line: gathers arguments, calls the public functions, turns what they raise into sentences.

Exit status: 0 fine, 1 the data or a report failed, 2 wrong use.
"""

import argparse
import gc
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alliance_longitudinal.cli.arguments import parser_of
from alliance_longitudinal.cli.given import FAILED, FINE, WRONG_USE, done, parameters_of
from alliance_longitudinal.cli.more import export_data, make_plan, open_report
from alliance_longitudinal.errors import AllianceError, DataError, UsageError
from alliance_longitudinal.reporting.record.terminal import say, say_data

if TYPE_CHECKING:
    from alliance_longitudinal.measures import Instrument

#: What fits a terminal; --json gives everything that is known of an instrument.
_INSTRUMENT_COLUMNS = ("label", "construct", "items", "total_range", "higher_is", "status")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    _print_whatever_comes()
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        status = command(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except AllianceError as error:
        if options.debug:
            raise
        problems = error.problems if isinstance(error, DataError) else ()
        _tell(options, type(error).__name__, str(error), problems)
        return WRONG_USE if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        say("Stopped.", error=True)
        return FAILED
    except Exception as error:
        if options.debug:
            raise
        _tell(options, type(error).__name__, _unexpected(error))
        return FAILED


def _check(options: argparse.Namespace) -> int:
    from alliance_longitudinal.analyses.data_quality import quality_checks
    from alliance_longitudinal.analyses.data_quality.terminal import check_lines, check_records
    from alliance_longitudinal.data import describe_study, load_study
    from alliance_longitudinal.reporting.record.inputs import study_file

    study = load_study(study_file(options.study), forms=True)
    checks = quality_checks(study)
    if options.json:
        findings = [f.to_dict() for f in study.findings]
        say_data(ok=True, findings=findings, checks=check_records(study, checks))
    else:
        say("\n".join([*describe_study(study), *check_lines(study, checks)]))
    return FINE


def _report(options: argparse.Namespace) -> int:
    from alliance_longitudinal.reporting import run_report
    from alliance_longitudinal.reporting.record.formats import formats_in
    from alliance_longitudinal.reporting.record.size import size_note
    from alliance_longitudinal.reporting.record.trust import IS_CODE
    from alliance_longitudinal.reporting.run.progress import report_progress

    study, notebook, parameters = _asked(options)
    if notebook.endswith(".ipynb") and not options.json:
        say(f"{Path(notebook).name} is not a notebook of the package. {IS_CODE}", error=True)
    if (large := size_note(study)) and not options.json:
        say(large, error=True)
    with report_progress(Path(notebook).stem, quiet=options.json) as on_event:
        report = run_report(
            study,
            notebook,
            parameters,
            options.out,
            deadline=options.deadline,
            memory=options.memory,
            on_event=on_event,
            plan=options.plan,
            formats=formats_in(options.format),
            trust=options.trust_notebook,
            language=options.language,
        )
    if not report.ok:
        if options.json:
            _tell(
                options, report.kind, report.error, _problems(options, report.kind), folder=str(report.folder)
            )
        else:
            _tell(options, report.kind, report.error)
            say(f"Details of the failed run: {report.folder}", error=True)
        return FAILED
    done(options, report.page, report=str(report.page))
    return FINE


def _asked(options: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    """Study, notebook and parameters; what is not given is taken from the plan."""
    given = parameters_of(options.parameter, options.audience)
    if options.plan is None:
        if options.study is None or options.notebook is None:
            what = "a study file" if options.study is None else "--notebook NAME"
            raise UsageError(f"The report needs {what}, or a plan (--plan PLAN.yaml).")
        return options.study, options.notebook, given
    from alliance_longitudinal.reporting.record.plans import planned_request

    study, notebook, planned = planned_request(options.plan)
    same = options.notebook in (None, notebook)
    return options.study or study, options.notebook or notebook, {**(planned if same else {}), **given}


def _list(options: argparse.Namespace) -> int:
    from alliance_longitudinal.reporting.record.listing import (
        analyses_lines,
        analysis_record,
        parameter_lines,
    )
    from alliance_longitudinal.reporting.record.notebooks import default_registry, known_analysis

    registry = default_registry()
    if options.name is None or _names_a_study(options.name):
        records = [analysis_record(analysis) for analysis in registry.values()]
        if options.name is not None:
            records = _with_what_is_missing(records, options.name)
        if options.json:
            say_data(ok=True, analyses=records)
        else:
            say("\n".join(analyses_lines(records)))
        return FINE
    record = analysis_record(known_analysis(options.name, registry))
    if options.json:
        say_data(ok=True, analysis=record)
    else:
        say("\n".join(parameter_lines(record)))
    return FINE


def _names_a_study(text: str) -> bool:
    return text == "demo" or Path(text).suffix.lower() in (".yaml", ".yml")


def _with_what_is_missing(records: list[dict[str, Any]], study: str) -> list[dict[str, Any]]:
    """The records, each with what the study lacks for the analysis."""
    from alliance_longitudinal.analyses.registry import list_analyses
    from alliance_longitudinal.data import load_study
    from alliance_longitudinal.reporting.record.inputs import study_file

    missing = list_analyses(load_study(study_file(study), forms=True))["missing"]
    return [record | {"missing": missing[record["name"]]} for record in records]


def _problems(options: argparse.Namespace, kind: str) -> Sequence[Any]:
    """The list behind a DataError, which leaves the notebook only as text: read the study once more for it."""
    from alliance_longitudinal.data import load_study
    from alliance_longitudinal.reporting.record.inputs import study_file

    if kind == "DataError":
        try:
            load_study(study_file(_asked(options)[0]))
        except DataError as error:
            return error.problems
    return ()


def _batch(options: argparse.Namespace) -> int:
    from alliance_longitudinal.reporting import run_batch
    from alliance_longitudinal.reporting.run.memory import usual_jobs
    from alliance_longitudinal.reporting.run.progress import batch_progress

    with batch_progress(Path(options.batch).stem, quiet=options.json) as on_event:
        batch = run_batch(
            options.batch,
            options.out,
            jobs=options.jobs or (None if options.cluster else usual_jobs()),
            fresh=options.fresh,
            on_event=on_event,
            events=options.events,
            cluster=options.cluster,
            trust=options.trust_notebook,
        )
    gc.freeze()  # the process ends soon; looking through all its objects for garbage takes a tenth of a second
    if options.json:
        say_data(ok=batch.ok, index=str(batch.page), notes=list(batch.notes), reports=list(batch.rows))
        return FINE if batch.ok else FAILED
    for note in batch.notes:
        say(note, error=True)
    for row in batch.rows:
        if row["status"] == "failed":
            say(f"{row['label']}: {row['error']}", error=True)
    waiting = sum(row["status"] == "waiting" for row in batch.rows)
    if waiting:
        say(
            f"Stopped before {waiting} {'report was' if waiting == 1 else 'reports were'} made. Repeat "
            "the command to continue.",
            error=True,
        )
    say(batch.page)
    return FINE if batch.ok else FAILED


def _verify(options: argparse.Namespace) -> int:
    from alliance_longitudinal.reporting import verify_report
    from alliance_longitudinal.reporting.run.compare import ABSOLUTE, RELATIVE
    from alliance_longitudinal.reporting.run.progress import report_progress

    with report_progress("verify", quiet=options.json) as on_event:
        found = verify_report(
            options.folder,
            study=options.study,
            notebook=options.notebook,
            deadline=options.deadline,
            on_event=on_event,
            trust=options.trust_notebook,
        )
    if options.json:
        say_data(ok=found.ok, problems=found.problems, notes=found.notes, compared=found.compared)
        return FINE if found.ok else FAILED
    if found.notes:
        say(
            "Only numbers were compared, not pictures, page and notebook, because something has "
            "changed: " + " ".join(found.notes),
            error=True,
        )
    for sentence in found.problems:
        say(sentence, error=True)
    if found.ok:
        rest = "" if found.notes else ", and pictures, page and notebook are unchanged"
        say(
            f"All {found.compared} numbers are the same (within {RELATIVE:g} of their size, "
            f"{ABSOLUTE:g} near zero){rest}."
        )
    return FINE if found.ok else FAILED


def _demo(options: argparse.Namespace) -> int:
    from alliance_longitudinal.data.demo import write_demo

    path = write_demo(options.folder)
    done(options, path, study=str(path))
    return FINE


def _instruments(options: argparse.Namespace) -> int:
    from alliance_longitudinal.measures import check_instrument_file, find_instrument, instruments

    if options.check is not None:
        return _show(check_instrument_file(Path(options.check)), as_data=options.json)
    if options.id is not None:
        return _show(find_instrument(options.id, options.folder), as_data=options.json)
    table = instruments(options.folder).reset_index()
    if options.json:
        say(table.to_json(orient="records", force_ascii=False))
    else:
        say(table[["id", *_INSTRUMENT_COLUMNS]].to_string(index=False))
    return FINE


def _doctor(options: argparse.Namespace) -> int:
    from alliance_longitudinal.cli.doctor import examined

    found = examined()
    if options.json:
        say_data(ok=all(one.ok for one in found), checks=[one._asdict() for one in found])
    else:
        say("\n".join(f"{'ok' if one.ok else 'PROBLEM':<8} {one.what}: {one.words}" for one in found))
    return FINE if all(one.ok for one in found) else FAILED


def _completion(options: argparse.Namespace) -> int:
    from alliance_longitudinal.cli.completion import script

    say(script(options.shell, _parser()))
    return FINE


def _show(instrument: "Instrument", *, as_data: bool) -> int:
    """Everything known of one instrument."""
    from dataclasses import asdict

    from alliance_longitudinal.measures import describe_instrument

    if as_data:
        say_data(ok=True, instrument=asdict(instrument))
    else:
        say("\n".join(describe_instrument(instrument)))
    return FINE


def _parser() -> argparse.ArgumentParser:
    return parser_of(
        {
            "check": _check,
            "report": _report,
            "plan": make_plan,
            "open": open_report,
            "list": _list,
            "batch": _batch,
            "verify": _verify,
            "export": export_data,
            "demo": _demo,
            "instruments": _instruments,
            "doctor": _doctor,
            "completion": _completion,
        }
    )


def _tell(
    options: argparse.Namespace, kind: str, message: str, problems: Sequence[Any] = (), **more: Any
) -> None:
    """A problem as a sentence on standard error, or as data on standard output."""
    if options.json:
        say_data(ok=False, error={"kind": kind, "message": message}, problems=list(problems), **more)
    else:
        say(message, error=True)


def _unexpected(error: Exception) -> str:
    """A sentence about a fault of ours; its details go to a private file, for they may quote data."""
    handle, name = tempfile.mkstemp(prefix="alliance-", suffix=".log")  # readable by its owner only
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        log.writelines(traceback.format_exception(error))
    return (
        f"Unexpected error ({type(error).__name__}). The details are in {name}. That file may "
        "contain data, so read it before you send it to anybody."
    )


def _print_whatever_comes() -> None:
    """Let a console that lacks a character show a stand-in rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
