"""A page of the workbench as Streamlit's own test runner shows it: through main.py, with its bar and its header."""

from __future__ import annotations

import re
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

MAIN = Path(__file__).parents[1] / "ui" / "view" / "main.py"


def page(name: str, **query: str) -> AppTest:
    """A page by the name that it has in addresses ("" is the first), not run yet; CONCEPTREE_RUNS says of what."""
    found = AppTest.from_file(str(MAIN), default_timeout=30)
    found.query_params.update(query)
    found._page_hash = calc_hash(name) if name else ""
    return found


def text(app: AppTest) -> str:
    """All that is written on it and on what leads elsewhere, without the marks of Markdown."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    written = [str(each.value) for kind in kinds for each in getattr(app, kind)]
    written += [each.proto.label for each in app.get("page_link")]
    return re.sub(r"\\([!-/:-@\[-`{-~])|[*\u2060]", r"\1", "\n".join(written))


def alts(app: AppTest) -> list[str]:
    """What is said of its pictures to people who cannot see them."""
    return [image.alt for images in app.get("image") for image in images.proto.imgs]


def addresses(app: AppTest) -> list[str]:
    """Of its pictures."""
    return [image.url for images in app.get("image") for image in images.proto.imgs]
