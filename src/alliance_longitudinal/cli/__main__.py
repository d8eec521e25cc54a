"""``python -m alliance_longitudinal.cli``: the same as ``alliance``."""

from alliance_longitudinal.cli import main

raise SystemExit(main())
