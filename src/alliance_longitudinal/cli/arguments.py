"""The arguments of every command."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from alliance_longitudinal import __version__

Command = Callable[[argparse.Namespace], int]


def parser_of(commands_of: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser of every command; ``commands_of`` has the function of each."""
    parser = argparse.ArgumentParser(
        prog="alliance",
        description="Reports on early therapeutic alliance and symptom change, from checked clinic data.",
        epilog="Exit status: 0 success, 1 the data or a report failed, 2 wrong use of the command.",
    )
    parser.add_argument("--version", action="version", version=f"alliance_longitudinal {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = _command(
        commands, "check", commands_of, "read a study; say what it contains, or what is wrong with it"
    )
    check.add_argument(
        "study", metavar="STUDY.yaml", help="study file, or 'demo' for the demonstration study"
    )

    report = _command(commands, "report", commands_of, "make one report")
    report.add_argument(
        "study",
        nargs="?",
        metavar="STUDY.yaml",
        help="study file, or 'demo' for the demonstration study; with --plan, that of the plan",
    )
    report.add_argument(
        "--notebook",
        metavar="NAME",
        help="name of an analysis, or path of your own notebook; with --plan, that of the plan",
    )
    _parameter(report)
    report.add_argument(
        "--plan",
        metavar="PLAN.yaml",
        help="a plan made by 'alliance plan'; the report lists every deviation from it",
    )
    report.add_argument(
        "--format",
        default="html",
        metavar="LIST",
        help="documents in addition to the page, such as html,docx,pdf; also xlsx, tex and parquet for the tables",
    )
    report.add_argument(
        "--audience",
        choices=("internal", "shareable"),
        help="shareable rounds counts of people and hides small ones (default internal)",
    )
    report.add_argument(
        "--language",
        default="en",
        metavar="CODE",
        help="en, or de for a page in German; what is not translated stays English",
    )
    report.add_argument("--out", required=True, metavar="DIR", help="the report's folder")
    _deadline(report)
    _trust(report)
    report.add_argument(
        "--memory",
        type=_gigabytes,
        metavar="GB",
        help="stop the report when its processes use more (default four fifths of the machine's memory)",
    )

    _plan(
        _command(commands, "plan", commands_of, "freeze the plan of an analysis before its outcome is known")
    )
    _more_of(commands, commands_of)
    return parser


def _plan(plan: argparse.ArgumentParser) -> None:
    plan.add_argument(
        "study",
        metavar="STUDY.yaml",
        help="study file, or 'demo' for the demonstration study; no table is read",
    )
    plan.add_argument(
        "--notebook", required=True, metavar="NAME", help="name of an analysis, or path of your own notebook"
    )
    _parameter(plan)
    plan.add_argument("--main", default="", metavar="ID", help="id of the main estimate")
    plan.add_argument(
        "--hypothesis", action="append", default=[], metavar="TEXT", help="a hypothesis; repeat for more"
    )
    plan.add_argument(
        "--multiplicity", metavar="TEXT", help="the rule for several tests (default: one main estimate)"
    )
    plan.add_argument(
        "--data-seen", default="", metavar="TEXT", help="what you had seen of the data before you planned"
    )
    plan.add_argument(
        "--hash-data",
        action="store_true",
        help="also record the hashes of the data files, so that a change of the data is a deviation",
    )
    plan.add_argument("--out", required=True, metavar="PLAN.yaml", help="the plan's file, a new one")


def _batch(batch: argparse.ArgumentParser) -> None:
    batch.add_argument("batch", metavar="BATCH.yaml")
    batch.add_argument("--out", required=True, metavar="DIR", help="folder for the reports and their index")
    batch.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="how many reports to make at the same time (default: one more than there are processors, fewer if memory is short; on a "
        "cluster one for each thread of its workers)",
    )
    _trust(batch)
    batch.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="make the reports on the workers of the Dask scheduler at this address, such as tcp://10.0.0.5:8786",
    )
    batch.add_argument("--fresh", action="store_true", help="also make finished reports again")
    batch.add_argument(
        "--events", metavar="FILE", help="append every event as a line of JSON, for programs that watch"
    )


def _export(export: argparse.ArgumentParser) -> None:
    export.add_argument(
        "study", metavar="STUDY.yaml", help="study file, or 'demo' for the demonstration study"
    )
    export.add_argument(
        "--format", default="sav,rds", metavar="LIST", help="sav (SPSS) and rds (R); default sav,rds"
    )
    export.add_argument(
        "--audience",
        choices=("internal", "shareable"),
        default="internal",
        help="only internal: there are rows of clients",
    )
    export.add_argument("--out", required=True, metavar="DIR", help="folder for the files")


def _parameter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        *("-p", "--parameter"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter, such as window=1,5; repeat for more",
    )


def _more_of(commands: Any, commands_of: Mapping[str, Command]) -> None:
    listed = _command(
        commands,
        "list",
        commands_of,
        "list the analyses, those that a study can answer, or the parameters of one",
    )
    listed.add_argument(
        "name",
        nargs="?",
        metavar="STUDY.yaml|NAME",
        help="a study file, or 'demo': say for each analysis what these data lack; or an analysis: show its parameters",
    )

    _batch(
        _command(commands, "batch", commands_of, "make all reports of a batch file, or those still missing")
    )

    verify = _command(
        commands, "verify", commands_of, "make a report again from its manifest and compare every file"
    )
    verify.add_argument("folder", metavar="DIR", help="the report's folder")
    verify.add_argument("--study", metavar="STUDY.yaml", help="study file; needed for a shareable report")
    verify.add_argument(
        "--notebook", metavar="FILE", help="your own notebook; needed if a shareable report used one"
    )
    _deadline(verify)
    _trust(verify)

    opened = _command(
        commands, "open", commands_of, "open the state of a finished report in JupyterLab, as a copy"
    )
    opened.add_argument("folder", metavar="DIR", help="the report's folder")
    opened.add_argument("--out", metavar="FOLDER", help="folder of the copy (default DIR.open)")
    opened.add_argument("--study", metavar="STUDY.yaml", help="study file; needed for a shareable report")
    opened.add_argument("--no-lab", action="store_true", help="write the notebook, do not start JupyterLab")

    _export(
        _command(
            commands,
            "export",
            commands_of,
            "write the scored data for SPSS and R; rows of clients, for internal use",
        )
    )

    demo = _command(
        commands, "demo", commands_of, "write the demonstration study into a folder, to look at and edit"
    )
    demo.add_argument("folder", metavar="DIR")

    known = _command(
        commands, "instruments", commands_of, "list the instruments, show one, or check your own file"
    )
    known.add_argument("id", nargs="?", metavar="ID", help="show everything the package knows about this one")
    known.add_argument("--check", metavar="FILE", help="check your own instrument file")
    known.add_argument(
        "--folder",
        action="append",
        default=[],
        metavar="DIR",
        help="folder with your own instruments; repeat for more",
    )

    _command(commands, "doctor", commands_of, "say whether this installation can make reports")
    completion = _command(
        commands, "completion", commands_of, "print the script that completes commands in your shell"
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="your shell")


def _command(
    commands: Any, name: str, commands_of: Mapping[str, Command], words: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=words, description=words[0].upper() + words[1:] + "."
    )
    parser.add_argument("--json", action="store_true", help="print results and problems as JSON")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=commands_of[name])
    return parser


def _deadline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deadline",
        type=_positive,
        default=600,
        metavar="SECONDS",
        help="stop the report after this time (default 600)",
    )


def _trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust-notebook",
        action="store_true",
        help="run a notebook also if it belongs to somebody else or was downloaded: it is code",
    )


def _gigabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of gigabytes above zero")
    return value


def _positive(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)
