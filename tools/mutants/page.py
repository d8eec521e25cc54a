"""docs/mutants.md: the table, and the mutants that no test noticed, each with the reason if it changes nothing."""

import json
import re
import sys
import tomllib
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from work import key

HERE = Path(__file__).resolve().parent
NOTICED = ("killed", "timeout")
INTRO = """# Mutants: do the tests notice a small mistake?

`make mutants` ({date}, SAMPLE={size}, SEED={seed}). Each mutant is one small change of the code, such as `<` for `<=`, a sort
left out or a number changed by a tenth. The tests that run the changed line are asked (`tools/mutants`); a mutant is killed if
one of them fails. The sample is drawn at random, in proportion to the lines of each package, with {engine} more of the engine.
Left out are types, decorators, texts of errors, and what only changes how something looks.{part}

| package | lines | possible mutants | asked | killed | of these by tests written since | by a time limit | survived | change nothing | killed of those that change something |
|---|---|---|---|---|---|---|---|---|---|
"""
PART = """ Of {drawn} mutants drawn, in random order,
the first {done} have been asked so far; `make mutants` goes on where it stopped."""


def equivalents() -> list[dict[str, str]]:
    """What changes nothing, with the reason: ``equivalent.toml``."""
    return list(tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8")).get("mutant", []))


def reason_of(record: dict[str, Any], known: list[dict[str, str]]) -> str:
    """Why a survivor changes nothing; empty if it does."""
    for entry in known:
        same = (
            record["path"].endswith(entry["file"]),
            squeezed(record["before"]) == squeezed(entry["before"]),
        )
        if all(same) and squeezed(record["after"]) == squeezed(entry["after"]):
            return entry["reason"]
    return ""


def squeezed(text: str) -> str:
    """Without spaces, which the changed text has more of."""
    return re.sub(r"\s+", "", text)


def wanted_of(drawn: list[Path]) -> set[tuple[Any, ...]]:
    """The mutants that were drawn."""
    return {key(json.loads(line)) for file in drawn for line in file.read_text(encoding="utf-8").splitlines()}


def read(wanted: set[tuple[Any, ...]], files: list[Path]) -> list[dict[str, Any]]:
    """The last outcome of each mutant that was drawn; ``late`` says whether it had survived before."""
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            before = last.get(key(record), {})
            late = before.get("late", False) or before.get("outcome") in ("survived", "no test")
            last[key(record)] = record | {"late": late}
    return [record for each, record in last.items() if each in wanted]


def table(records: list[dict[str, Any]], parts: dict[str, dict[str, int]], reasons: list[str]) -> list[str]:
    """One row a package, and the sum."""
    rows = []
    for name in [*parts, "all"]:
        mine = [(r, why) for r, why in zip(records, reasons, strict=True) if name in (r["part"], "all")]
        n = Counter("same" if why and r["outcome"] not in NOTICED else r["outcome"] for r, why in mine)
        noticed = n["killed"] + n["timeout"]
        survived = n["survived"] + n["no test"]
        facts = [parts[name]] if name != "all" else list(parts.values())
        share = f"{100 * noticed / (noticed + survived):.0f} %" if noticed + survived else ""
        label = f"**{name}**" if name == "all" else f"`{name}`"
        cells = [label, sum(f["lines"] for f in facts), sum(f["all"] for f in facts), len(mine), noticed]
        late = sum(r["late"] and r["outcome"] in NOTICED for r, _ in mine)
        cells += [late, n["timeout"], survived, n["same"], share]
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return rows


def main() -> int:
    """``page.py PAGE STEM RESULTS...``."""
    page, stem, *results = map(Path, sys.argv[1:])
    drawn = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    lists = [stem.with_name(f"{stem.name}-{i}.jsonl") for i in (1, 2)]
    wanted = wanted_of(lists)
    records = sorted(read(wanted, results), key=lambda r: (r["path"], r["line"]))
    known = equivalents()
    reasons = [reason_of(r, known) for r in records]
    parts = [
        json.loads(line)["part"] for file in lists for line in file.read_text(encoding="utf-8").splitlines()
    ]
    engine = parts.count("engine")
    date = datetime.now().date().isoformat()
    part = PART.format(drawn=len(wanted), done=len(records)) if len(records) < len(wanted) else ""
    text = INTRO.format(date=date, size=len(parts) - engine, seed=drawn["seed"], engine=engine, part=part)
    lines = table(records, drawn["parts"], reasons)
    open_ = [r for r, why in zip(records, reasons, strict=True) if r["outcome"] not in NOTICED and not why]
    same = [(r, why) for r, why in zip(records, reasons, strict=True) if r["outcome"] not in NOTICED and why]
    noticed = [r for r in records if r["outcome"] in NOTICED]
    at_once, all_ = sum(not r["late"] for r in noticed), len(noticed) + len(open_)
    lines += [
        "",
        f"At first, before tests were written for the survivors of this sample, {at_once} of {all_} were killed "
        f"({100 * at_once / max(all_, 1):.0f} %): the better guess for the mutants that were not asked.",
    ]
    lines += ["", "## Survivors", ""]
    lines += [
        shown(r) + (" (no test runs this line)" if r["outcome"] == "no test" else "") for r in open_
    ] or ["None."]
    lines += ["", "## Survivors that change nothing a user sees", ""]
    lines += [f"{shown(r)}: {why}" for r, why in same] or ["None."]
    page.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    print(*table(records, drawn["parts"], reasons)[-1:], sep="\n")
    return 0


def shown(record: dict[str, Any]) -> str:
    """One survivor, as a line of a list."""
    where = record["path"].removeprefix("src/alliance_longitudinal/")
    return f"- `{where}`: `{record['before']}` to `{record['after']}`"


if __name__ == "__main__":
    raise SystemExit(main())
