"""Writes ``docs/api/*.md``: every public name with its call and its docstring (`make api`)."""

import inspect
import re
from pathlib import Path
from typing import Any

import alliance_longitudinal as al
from alliance_longitudinal.analyses.registry import REGISTRY

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "api"
HEADS = {
    "analyses": "The analyses, and what each of them returns.",
    "models": "Mixed models for any data frame; [../models.md](../models.md) shows how to use them.",
    "data": "Studies, instruments, simulated clinics, and the errors and findings of all calls.",
    "methods": "Statistics of the field on plain frames: `from alliance_longitudinal import methods`.",
}


def places() -> dict[str, dict[str, Any]]:
    """Page -> name -> public object; every name of the package and of its methods is on one page."""
    pages: dict[str, dict[str, Any]] = {page: {} for page in HEADS}
    for name in al.__all__:
        thing = getattr(al, name)
        module = str(getattr(thing, "__module__", "")).removeprefix(f"{al.__name__}.")
        if name in al.methods.__all__ or name in {"methods", "__version__"}:
            continue
        page = {"analyses": "analyses", "engine": "models", "methods": "methods"}.get(
            module.split(".")[0], "data"
        )
        pages["analyses" if name in REGISTRY else page][name] = thing
    pages["methods"] |= {name: getattr(al.methods, name) for name in al.methods.__all__}
    return pages


def call(name: str, thing: Any) -> str:
    """The signature as a reader writes it: short names of types, one argument a line where it is long."""
    try:
        found = inspect.signature(thing)
    except ValueError:  # an exception without an initialiser of its own
        return name
    text = re.sub(r"<factory>", "...", str(found)).replace("'", '"')
    text = re.sub(r"^\(self(, )?", "(", text)
    text = text.replace(
        "ndarray[typing.Any, ", "ndarray[tuple[typing.Any, ...], "
    )  # as NumPy before 2.2 says it
    text = re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", re.sub(r"(?<=\d)\.(?=\d)", "\0", text)).replace("\0", ".")
    # numpy's versions write the type of an array in two ways.
    text = re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"NDArray[\1]", text)
    if len(name + text) <= 100:
        return name + text
    inside, _, returned = text[1:].rpartition(")")
    return f"{name}(\n" + "".join(f"    {part},\n" for part in _arguments(inside)) + f"){returned}"


def _arguments(text: str) -> list[str]:
    """Split at the commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[(") - (letter in "])")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def described(thing: Any) -> str:
    """The docstring, kept as it is laid out."""
    text = inspect.cleandoc(thing.__doc__ or "")
    return "" if text.startswith(f"{getattr(thing, '__name__', '')}(") else text


def members(thing: Any) -> list[tuple[str, Any]]:
    """Public methods and properties of a class, in order of name; those of Python's own classes left out."""
    if not inspect.isclass(thing):
        return []
    owners = {n: next(c for c in thing.__mro__ if n in vars(c)) for n in dir(thing) if not n.startswith("_")}
    own = [n for n, owner in owners.items() if owner.__module__.startswith(al.__name__)]
    found = [(n, inspect.getattr_static(thing, n)) for n in own]
    return [(n, m) for n, m in found if isinstance(m, property | classmethod | staticmethod) or callable(m)]


def entry(name: str, thing: Any) -> str:
    """One public name: its call, its words, its methods."""
    parts = [f"## {name}", f"```text\n{call(name, thing)}\n```", f"```text\n{described(thing)}\n```"]
    for inner, member in members(thing):
        if isinstance(member, property):
            head, words = f"{name}.{inner}", described(member.fget)
        else:
            bound = getattr(thing, inner)
            head, words = call(f"{name}.{inner}", bound), described(bound)
        parts += [f"### {name}.{inner}", f"```text\n{head}\n\n{words}\n```"]
    return "\n\n".join(part for part in parts if part != "```text\n\n```")


def pages() -> dict[str, str]:
    """File name -> text of every page."""
    texts = {}
    for page, names in places().items():
        links = " · ".join(f"[{n}](#{n.lower()})" for n in sorted(names))
        head = f"# API: {page}\n\n{HEADS[page]}\n\n{links}\n"
        note = "\nThis page is written by `make api` from the code.\n\n"
        texts[f"{page}.md"] = head + note + "\n\n".join(entry(n, names[n]) for n in sorted(names)) + "\n"
    return texts


def main(folder: Path = FOLDER) -> None:
    """Write the pages into ``folder``, and remove those that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = pages()
    for path in folder.glob("*.md"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
