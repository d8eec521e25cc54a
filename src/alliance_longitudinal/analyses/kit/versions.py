"""The software sentence of a methods section."""

from importlib.metadata import version

from alliance_longitudinal.sentences import say


def versions_sentence() -> str:
    """Which versions made the numbers."""
    names = ("numpy", "scipy", "pandas")
    others = ", ".join(f"{n} {version(n)}" for n in names)
    own = version("alliance-longitudinal")
    return say("Software: alliance_longitudinal {own} with {others}.", own=own, others=others)
