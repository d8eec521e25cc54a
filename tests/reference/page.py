"""The page of validation in Markdown, from its topics."""

from collections.abc import Sequence

from reference.figures import Figure, Table, Topic

HEAD = """\
# Validation

Written by `make parity`; do not edit. Each figure stands beside its reference, with the program and version that gave it,
computed from the same rows. The scripts are in `tests/reference`; where R is at hand, `make parity` runs them anew. The criterion
is -2 log-likelihood, restricted under REML; a lower one is right, whatever the reference says.

**{agree:,} of {total:,} figures agree.** {rest}{absent}
"""
DIFFER = """\
## Where the two differ

| model | figure | reference | ours | why |
|---|---|---:|---:|---|
"""


def number(value: float) -> str:
    """Eight digits; what is below 1e-9 is rounding."""
    return f"{value:.8g}" if abs(value) >= 1e-9 else "0"


def page(topics: Sequence[Topic], reasons: dict[tuple[str, str], str]) -> str:
    """The whole page.

    Parameters
    ----------
    reasons : dict
        Why a figure does not agree, by title of its table and its quantity.
    """
    every = [figure for topic in topics for figure in topic.figures]
    off = [(t, f) for topic in topics for t in topic.tables for f in t.figures if not f.agrees]
    missing = [name for topic in topics for name in topic.absent]
    head = HEAD.format(
        agree=len(every) - len(off),
        total=len(every),
        rest="The rest comes first, with the reason." if off else "None differs.",
        absent=f"\n\nNot compared, because the rows are not on this machine: {', '.join(missing)}."
        if missing
        else "",
    )
    parts = [head]
    if off:
        parts.append(DIFFER + "\n".join(_difference(t, f, reasons) for t, f in off) + "\n")
    parts += [_contents(topics), *(_topic(topic) for topic in topics)]
    return "\n".join(parts)


def _difference(table: Table, figure: Figure, reasons: dict[tuple[str, str], str]) -> str:
    why = reasons.get((table.title, figure.quantity), "**not known**")
    program = figure.program or table.program
    return f"| {table.title} | {_name(figure)} | {number(figure.reference)} ({program}) | {number(figure.ours)} | {why} |"


def _contents(topics: Sequence[Topic]) -> str:
    lines = ["| section | figures | agree | programs |", "|---|---:|---:|---|"]
    for topic in topics:
        programs = {f.program or t.program for t in topic.tables for f in t.figures}
        single = sorted({name for program in programs for name in program.split(", ") if name[-1:].isdigit()})
        agree = sum(f.agrees for f in topic.figures)
        lines.append(f"| {topic.title} | {len(topic.figures):,} | {agree:,} | {', '.join(single)} |")
    return "\n".join(lines) + "\n"


def _topic(topic: Topic) -> str:
    head = f"## {topic.title}\n\n{topic.made}\n\nAgreement: {topic.tolerance}\n"
    return "\n".join([head, *(_table(table) for table in topic.tables)])


def _table(table: Table) -> str:
    programs = list(dict.fromkeys(f.program or table.program for f in table.figures))
    columns = len(programs) > 1
    said = f"{table.text} Reference: {programs[0]}." if not columns and programs else table.text
    lines = [f"### {table.title}", "", said.strip(), ""] if said.strip() else [f"### {table.title}", ""]
    lines.append(f"| figure |{' program |' * columns} reference | ours | agrees |")
    lines.append(f"|---|{'---|' * columns}---:|---:|---|")
    for f in table.figures:
        verdict = "yes" if f.agrees else f"**no**, by {f.ours - f.reference:.1e}"
        program = f" {f.program or table.program} |" * columns
        lines.append(f"| {_name(f)} |{program} {number(f.reference)} | {number(f.ours)} | {verdict} |")
    return "\n".join(lines) + "\n"


def _name(figure: Figure) -> str:
    """A bar would end the cell."""
    return figure.quantity.replace("|", "\\|")
