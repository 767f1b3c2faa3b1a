"""The palette (Ctrl K) over pages, runs, concepts, tags, boards and actions, and the list of shortcuts (?)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve.store.check import check
from ui.runs import open_run
from ui.view import links, notices, store, whole
from ui.view.palette.shortcuts import SHORTCUTS
from ui.view.selection import state_of
from ui.view.text import on_one_line, plain, shortened

_HERE = Path(__file__).parent
_palette = st.components.v2.component(
    "conceptree.palette",
    html=(_HERE / "palette.html").read_text(encoding="utf-8"),
    css=(_HERE / "palette.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("palette.js", "typing.js")),
)


@dataclass(frozen=True)
class Action:
    """Something to do from any page: go to a page and click there.

    page: its name in addresses, "" for the page that is open. click: CSS selector of a button, or of a field, which
    gets the focus. absent: message if it is not there. words: other words to find the action by. do: what Python does
    instead.
    """

    title: str
    page: str = ""
    click: str = ""
    absent: str = ""
    words: str = ""
    do: str = ""


OF_ALL = (Action("Open a family file or a drawing", "runs", ".st-key-home-family button", words="import upload adopt"),)
OF_A_RUN = (
    Action(
        "Breed the selected concepts",
        "tree",
        ".st-key-breed-start button",
        "Select two or more concepts in the tree first.",
        "children mix mate",
    ),
    Action(
        "Take one aspect of a concept",
        "tree",
        "[class*=st-key-breed-aspect] input",
        "Choose the parents in the tree first.",
        "colour color pattern shape part look background breed",
    ),
    Action(
        "Publish as web pages",
        "tree",
        # If it is open already, its first field.
        ".st-key-tree-publish details:not([open]) summary, .st-key-tree-publish-hidden input",
        words="share html site zip download",
    ),
    Action("Check the files of this run", do="check", words="damage digest whole"),
)
OF_A_CONCEPT = (
    Action("Open {}", "concept"),
    Action("Draw {} in another prompt", "concept", ".st-key-concept-prompt input", words="picture"),
    Action("More like {}", "concept", ".st-key-more-like button", words="variations mutate similar"),
    Action("Tag {}", "concept", "[class*=st-key-concept-tags] input", words="label"),
    Action("Put {} on a board", "concept", ".st-key-concept-boards button", words="collection"),
    Action("Export {}", "concept", ".st-key-concept-export button", words="download safetensors embedding file"),
    Action("Rate {}", "concept", ".st-key-concept-rating [role=radio]", words="stars"),
    Action("Rename {}", "concept", ".st-key-concept-name input", words="name"),
)


def show(run: str) -> None:
    """Show the palette's button. run: the run of the page, or ""."""
    found = _palette(
        key="palette",
        data={
            "offers": links.offers(run),
            "others": links.offers(run, others=True),
            "pictures": links.pictures_of(run),
            "run": run,
            "pages": _pages(bool(run)),
            "actions": _actions(run),
            "shortcuts": [{"title": title, "keys": keys} for title, keys in SHORTCUTS.items()],
        },
        width="content",
        on_go_change=whole.to_the_end,
        on_do_change=whole.to_the_end,
    )
    if told := found.get("go"):
        _go(told)
    if found.get("do") == "check" and run:
        _checked(run)


def _go(told: Mapping[str, object]) -> None:
    """Go where the browser says, if there is such a page."""
    from ui.view.pages import pages

    query = told.get("query")
    if (name := str(told.get("page"))) in pages() and isinstance(query, Mapping):
        links.go(name, **{str(key): str(value) for key, value in query.items()})


def _pages(of_a_run: bool) -> list[dict[str, str]]:
    from ui.view.pages import OF_A_RUN as NEED_ONE
    from ui.view.pages import pages

    offered = {name: page.title for name, page in pages().items() if name != "concept"}
    return [{"page": name, "title": title} for name, title in offered.items() if of_a_run or name not in NEED_ONE]


def _actions(run: str) -> list[dict[str, object]]:
    """All actions that have something to act on, with the query of their page."""
    found: list[tuple[Action, dict[str, str]]] = [(each, {}) for each in OF_ALL]
    found += [(each, {"run": run}) for each in OF_A_RUN] if run else []
    actions: list[dict[str, object]] = [{**asdict(each), "query": query} for each, query in found]
    if run and (subject := _subject(run)):
        id_, name = subject
        query = {"run": run, "concept": id_}
        actions += [{**asdict(each), "title": each.title.format(name), "query": query} for each in OF_A_CONCEPT]
    return actions


def _subject(run: str) -> tuple[str, str] | None:
    """(id, name) of the concept of the address, else of the one that was selected last in the tree."""
    try:
        by_id = store.opened(run).by_id
    except ConceptreeError:  # the page itself shows the error
        return None
    asked = [st.query_params.get("concept", ""), *reversed(state_of(run).selected)]
    entry = next((by_id[id_] for id_ in asked if id_ in by_id), None)
    return (entry.id, shortened(on_one_line(entry.name), 40)) if entry else None


@st.dialog("Files of this run")
def _checked(run: str) -> None:
    """What `conceptree check` tells of a run."""
    try:
        with st.spinner("Comparing every file with its digest …"):
            found = check(open_run(store.runs_folder(), run))
    except ConceptreeError as error:
        notices.error(error)
        return
    read = [counted(found.concepts, "concept"), counted(found.drawings, "drawing"), counted(found.notes, "note")]
    read += [counted(found.photos, "photograph")] if found.photos else []
    told = f"{plain(run)}: {', '.join(read)} in {counted(found.parts, 'part')} can be read."
    if found.whole:
        st.success(f"{told} The run is whole.", icon=":material/verified:")
    else:
        st.error(f"{told} The run is not whole; put lost files back from a copy.", icon=":material/healing:")
    for each in found.findings:
        where = f"{each.where}: " if each.where else ""
        st.markdown(plain(f"{'lost' if each.lost else 'note'}: {where}{each.text}"))
