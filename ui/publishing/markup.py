"""HTML pages as trees of elements: text and attributes are escaped when a page is written, never before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from ui.console import printable

Element = ElementTree.Element
Child = Element | str

# Pages have no scripts, forms or frames, so a browser need not allow any.
_POLICY = "script-src 'none'; object-src 'none'; frame-src 'none'; connect-src 'none'; form-action 'none'"


def el(tag: str, attributes: Mapping[str, str] | None = None, *children: Child) -> Element:
    """An element with its children. Characters that cannot be seen are replaced by a mark."""
    made = Element(tag, {name: printable(value) for name, value in (attributes or {}).items()})
    for child in children:
        if isinstance(child, str):
            text = "\n".join(printable(line) for line in child.split("\n"))
            if len(made):
                made[-1].tail = (made[-1].tail or "") + text
            else:
                made.text = (made.text or "") + text
        else:
            made.append(child)
    return made


def page(title: str, root: str, body: Sequence[Child]) -> bytes:
    """A whole page. root: relative address of the site's first folder, "" or "../"."""
    head = el(
        "head",
        None,
        el("meta", {"charset": "utf-8"}),
        el("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "color-scheme", "content": "light dark"}),
        el("title", None, title),
        el("link", {"rel": "icon", "href": "data:,"}),
        el("link", {"rel": "stylesheet", "href": f"{root}style.css"}),
    )
    whole = el("html", {"lang": "en"}, head, el("body", None, *body))
    return f"<!doctype html>\n{ElementTree.tostring(whole, encoding='unicode', method='html')}\n".encode()
