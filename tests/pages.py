"""Pages of the workbench in Streamlit's test runner, through main.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

MAIN = Path(__file__).parents[1] / "ui" / "view" / "main.py"


def page(name: str, **query: str) -> AppTest:
    """A page by its name in addresses ("" is the first), not run yet, on the runs in CONCEPTREE_RUNS."""
    found = AppTest.from_file(str(MAIN), default_timeout=30)
    found.query_params.update(query)
    found._page_hash = calc_hash(name) if name else ""
    return found


def text(app: AppTest) -> str:
    """All text and links of a page, without the marks of Markdown."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    written = [str(each.value) for kind in kinds for each in getattr(app, kind)]
    written += [each.proto.label for each in app.get("page_link")]
    return re.sub(r"\\([!-/:-@\[-`{-~])|[*\u2060]", r"\1", "\n".join(written))


def components(app: AppTest) -> list[str]:
    """The data of its components as JSON, without those that are on every page."""
    of_every_page = ("lightbox", "palette", "bell")
    found = [each.proto for each in app.get("bidi_component")]
    return [each.json for each in found if not any(name in each.component_name for name in of_every_page)]


def alts(app: AppTest) -> list[str]:
    """Alternative texts of its pictures."""
    return [image.alt for images in app.get("image") for image in images.proto.imgs]


def addresses(app: AppTest) -> list[str]:
    """Addresses of its pictures."""
    return [image.url for images in app.get("image") for image in images.proto.imgs]


def typed(app: AppTest, key: str, value: str) -> AppTest:
    """The page after a person has typed an option that the field does not have."""
    field = app.selectbox(key=key)
    field.options.append(value)
    return field.set_value(value).run()


def addressed(app: AppTest, place: str) -> dict[str, str]:
    """What a script of the page puts into the address, see `ui.view.choice`. place: where the page calls it."""
    scripts = [each.proto.body for each in app.get("html") if f'/* ["{place}"' in each.proto.body]
    found = re.search(r"Object\.entries\((.*)\)\)", scripts[-1])
    assert found
    return json.loads(found[1])
