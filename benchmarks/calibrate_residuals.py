"""Bias and coverage of a residual structure's parameters and of a slope in simulation: run by hand, a minute."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from engine.residual_recovery import recovery

if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print(recovery(range(1000, 1000 + count), groups=60).round(4))
