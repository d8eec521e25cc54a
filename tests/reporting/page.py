"""Reads a page the way a browser and a screen reader would, and says what is wrong with it."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"meta", "img", "br", "hr", "link", "input", "line", "col"}


class Page(HTMLParser):
    """Elements of a page in order, and which of them are left open."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = text
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> where <{self._open[-1] if self._open else '-'}> is open")
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data.replace("\xa0", " "))

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def lint(text: str, *, sorts: bool = False) -> list[str]:
    """Everything that a page of ours must not do; the index of a batch has one script, which sorts its table."""
    page = Page(text)
    return page.problems + _offline(page, sorts) + _accessible(page)


def _offline(page: Page, sorts: bool) -> list[str]:
    scripts = re.findall(r"<script>(.*?)</script>", page.text, re.S)
    allowed = "".join(
        f"; script-src 'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    found = [] if len(scripts) == sorts else [f"{len(scripts)} scripts"]
    found += [
        f"the script has {word}"
        for s in scripts
        for word in ("fetch", "http", "eval", "innerHTML")
        if word in s
    ]
    found += [
        f"<{tag}> runs or loads"
        for tag, _ in page.elements
        if tag in {"link", "iframe", "object", "embed", *(() if sorts else ("script",))}
    ]
    for tag, attributes in page.elements:
        found += [f"<{tag}> has {name}" for name in attributes if name.startswith("on")]
        for name in ("src", "href", "srcset", "action", "poster"):
            value = attributes.get(name, "#")
            if not (value.startswith(("#", "data:")) or re.fullmatch(r"[a-z0-9-]+/report\.html", value)):
                found.append(f"<{tag}> {name} leads away: {value[:60]}")
    style = "".join(re.findall(r"<style>(.*?)</style>", page.text, re.S))
    found += [f"the style has {word}" for word in ("url(", "@import", "expression(") if word in style]
    policy = [a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    if policy != ["default-src 'none'; img-src data:; style-src 'unsafe-inline'" + allowed]:
        found.append(f"content security policy: {policy}")
    return found


def _accessible(page: Page) -> list[str]:
    found = [f"an image without alt: {list(a)}" for a in page.all("img") if not a.get("alt")]
    found += [
        f"a table header without scope: {a}" for a in page.all("th") if a.get("scope") not in ("col", "row")
    ]
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    found += [f"id {i} occurs twice" for i in set(identifiers) if identifiers.count(i) > 1]
    targets = [a["href"][1:] for a in page.all("a") if a.get("href", "").startswith("#")]
    targets += [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    found += [f"nothing has the id {t}" for t in targets if t not in identifiers]
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    if levels[:1] != [1] or levels.count(1) != 1:
        found.append(f"headings start {levels[:3]}, with {levels.count(1)} h1")
    found += [f"h{b} follows h{a}" for a, b in pairwise(levels) if b > a + 1]
    found += [f"no <{tag}>" for tag in ("main", "header", "footer", "title", "caption") if not page.all(tag)]
    if not page.all("html") or page.all("html")[0].get("lang") != "en":
        found.append("no language")
    return found
