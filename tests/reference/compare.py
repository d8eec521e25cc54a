"""Writes ``docs/validation.md``: each figure beside its reference. Run by ``make parity``."""

import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reference.catalogue import ROOT
from reference.page import page
from reference.topics import TOPICS, intervals, published

PAGE = ROOT / "docs" / "validation.md"
KERNELS = "## The engine's tests under other kernels"


def main() -> int:
    """Fit everything that is at hand, write the page, and return 1 if something differs for no known reason."""
    warnings.simplefilter("error")
    topics = []
    for topic in TOPICS:
        began = time.perf_counter()
        topics.append(topic())
        found = topics[-1].figures
        print(
            f"{topics[-1].title}: {sum(f.agrees for f in found)} of {len(found)} figures agree "
            f"({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
    reasons = published.reasons() | intervals.REASONS
    _, heading, kernels = PAGE.read_text(encoding="utf-8").partition(
        KERNELS
    )  # written by tools/test_kernels.py
    PAGE.write_text(
        page(topics, reasons).rstrip() + "\n" + (f"\n{heading}{kernels}" if heading else ""), encoding="utf-8"
    )
    off = [(t.title, f.quantity) for topic in topics for t in topic.tables for f in t.figures if not f.agrees]
    unknown = [f"{title}: {quantity}" for title, quantity in off if (title, quantity) not in reasons]
    total = sum(len(topic.figures) for topic in topics)
    print(f"{total - len(off)} of {total} figures agree; written to {PAGE.relative_to(ROOT)}")
    if unknown:
        print("Differ, and nobody knows why:", *unknown, sep="\n  ")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
