"""The software sentence of a methods section."""

from importlib.metadata import version


def versions_sentence() -> str:
    """Which versions made the numbers."""
    names = ("numpy", "scipy", "pandas")
    others = ", ".join(f"{n} {version(n)}" for n in names)
    return f"Software: alliance_longitudinal {version('alliance-longitudinal')} with {others}."
