"""MkDocs hooks: pages of the site that are made from files outside docs/, and links that work in both places."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from posixpath import join, normpath, relpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
# Files outside docs/, or in another format, and their places in the site.
PLACES = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "core/emoji/CARD.md": "card.md",
    "core/emoji/held-out.webp": "held-out.webp",
    "docs/notebook.ipynb": "notebook.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s#]*)(#[^()\s]*)?\)")
PICTURES = ("image/png", "image/webp", "image/jpeg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README as the first page, the model card with its picture, and the notebook."""
    from mkdocs.structure.files import File

    for source, place in PLACES.items():
        path = ROOT / source
        if path.suffix == ".webp":
            files.append(File.generated(config, place, abs_src_path=str(path)))
        elif path.exists():
            text = path.read_text(encoding="utf-8")
            page = notebook_page(json.loads(text)) if path.suffix == ".ipynb" else text
            files.append(File.generated(config, place, content=with_links(page, source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Adapt the links of a page in docs/; those of the pages above are adapted already."""
    return markdown if page.file.generated_by else with_links(markdown, f"docs/{page.file.src_uri}")


def with_links(markdown: str, source: str) -> str:
    """Markdown of the repository's file `source`, with links to places in the site.

    A link to a file that the site does not have becomes its label.
    """
    folder = str(PurePosixPath(source).parent)
    here = str(PurePosixPath(PLACES.get(source, source.removeprefix("docs/"))).parent)

    def adapted(found: re.Match[str]) -> str:
        picture, label, target, anchor = found.groups(default="")
        if not target or ":" in target:
            return found[0]
        path = normpath(join(folder, target))
        if path not in PLACES and not path.startswith("docs/"):
            return label
        place = PLACES.get(path, path.removeprefix("docs/"))
        return f"{picture}[{label}]({relpath(place, here)}{anchor})"

    return LINK.sub(adapted, markdown)


def notebook_page(notebook: Mapping[str, Any]) -> str:
    """An executed notebook as Markdown: its text, its code, and the text and pictures that the code gave."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif source:
            parts += [fenced(source, "python"), *map(output_block, cell.get("outputs", []))]
    return "\n\n".join(filter(None, parts)) + "\n"


def output_block(output: Mapping[str, Any]) -> str:
    """One output of a cell as Markdown. Pictures are part of the page."""
    data = output.get("data", {})
    for kind in PICTURES:
        if kind in data:
            return f'<img alt="output of the code above" src="data:{kind};base64,{"".join(data[kind].split())}">'
    text = "".join(output.get("text", data.get("text/plain", ""))).strip("\n")
    return fenced(text, "text") if text else ""


def fenced(text: str, language: str) -> str:
    return f"````{language}\n{text}\n````"
