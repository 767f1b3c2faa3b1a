"""Notes on a concept (name, rating, comment) and actions: parent, repeat, compare, export."""

from __future__ import annotations

import streamlit as st

from core.concept import Request
from core.errors import ConceptreeError
from core.wording import counted
from evolve import Run
from evolve.family.share import family_file
from evolve.jobs.plans import Seed
from evolve.jobs.stored import jobs
from evolve.store.run import Entry
from ui.exporting import stem_of
from ui.view import boards, clicks, learning, links, notices, undo
from ui.view.downloads import FORMS, forms_for, pictures_button, readers_of, torn, zipped
from ui.view.parents import parents_of
from ui.view.screens import breed, more_like
from ui.view.screens.seed import AGAIN, Again
from ui.view.store import Opened
from ui.view.text import plain


def show(found: Opened, entry: Entry) -> None:
    _said(found, entry)
    _actions(found, entry)


def _said(found: Opened, entry: Entry) -> None:
    note, run = entry.note, found.run
    wrong = st.session_state.get("concept.wrong", ("", "", ""))
    refused = wrong[0] == entry.id
    for key, value in {
        "concept.name": wrong[1] if refused else entry.name,
        "concept.rating": note.rating - 1 if note.rating else None,
        "concept.favourite": note.favourite,
        "concept.hidden": note.hidden,
        "concept.comment": note.comment,
        _tags_key(entry): list(note.tags),
    }.items():
        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.text_input("Name", key="concept.name", max_chars=80, on_change=_rename, args=(run, entry), width=210)
        with st.container(width="content", gap=None):
            st.caption("Rating", width="content")
            st.feedback("stars", key="concept.rating", on_change=_rate, args=(run, entry))
        st.toggle("Favourite", key="concept.favourite", on_change=_mark, args=(run, entry, "favourite"))
        st.toggle("Hidden", key="concept.hidden", on_change=_mark, args=(run, entry, "hidden"))
    if refused:
        st.error(plain(wrong[2]), icon=":material/error:")
    st.multiselect(
        "Tags",
        found.tags,
        key=_tags_key(entry),
        accept_new_options=True,
        placeholder="Choose a tag, or type a new one",
        on_change=_tag,
        args=(run, entry),
    )
    st.text_area("Comment", key="concept.comment", max_chars=10_000, height=68, on_change=_comment, args=(run, entry))


def _rename(run: Run, entry: Entry) -> None:
    typed = st.session_state["concept.name"]
    name = typed.strip() if typed.strip() not in ("", entry.born) else None
    st.session_state.pop("concept.wrong", None)
    what = f"{entry.name}: renamed to {name or entry.born}"
    if (name or entry.born) != entry.name and not undo.note(run, entry.id, what, name=name):
        st.session_state["concept.wrong"] = (entry.id, typed, undo.take_problem())


def _rate(run: Run, entry: Entry) -> None:
    stars = st.session_state["concept.rating"]
    rating = None if stars is None else stars + 1
    undo.mark(run, [entry], "rating", rating)


def _mark(run: Run, entry: Entry, field: str) -> None:
    undo.mark(run, [entry], field, bool(st.session_state[f"concept.{field}"]))


def _tags_key(entry: Entry) -> str:
    """A field for each concept: the browser would give the tags of one to the next."""
    return f"concept.tags.{entry.id}"


def _tag(run: Run, entry: Entry) -> None:
    before, now = entry.note.tags, st.session_state[_tags_key(entry)]
    undo.tag(run, [entry], [tag for tag in now if tag not in before], [tag for tag in before if tag not in now])


def _comment(run: Run, entry: Entry) -> None:
    undo.note(run, entry.id, f"{entry.name}: comment", comment=st.session_state["concept.comment"])


def _actions(found: Opened, entry: Entry) -> None:
    run = found.run
    name = run.folder.name
    chosen = parents_of(name)
    with st.container(horizontal=True, gap="small"):
        is_parent = entry.id in chosen
        label = "Remove from the parents" if is_parent else "Add to the parents"
        icon = ":material/close:" if is_parent else ":material/family_restroom:"
        if clicks.button(
            label, key="concept.parent", of=entry.id, icon=icon, help="Breed children on the page of the family tree"
        ):
            chosen.pop(entry.id) if is_parent else chosen.update({entry.id: 1.0})
            st.rerun()
        more_like.button(found, entry)
        with st.popover("Use its settings", icon=":material/replay:", key="concept.use"):
            _reuse(found, entry)
        if clicks.button("Compare", key="concept.compare", of=entry.id, icon=":material/compare:"):
            links.go("compare", run=name, concepts=entry.id)
        with st.popover("Boards", icon=":material/dashboard:", key="concept.boards"):
            boards.chooser([(found, entry)], "concept.pin")
        with st.popover("Export", icon=":material/download:", key="concept.export"):
            _export(found, entry)
        if chosen:
            links.to("tree", f"Breed {counted(len(chosen), 'parent')}", icon=":material/account_tree:", run=name)


def _export(found: Opened, entry: Entry) -> None:
    run = found.run
    try:
        each = run.find(entry.id)
    except ConceptreeError as error:
        notices.error(error)
        return
    vectors, stem = each.concept.vectors, stem_of(each)
    forms = forms_for(vectors.shape[1])
    form = st.selectbox("Format", forms, format_func=FORMS.__getitem__, key="concept.form")
    line = readers_of(form, vectors)
    st.caption(plain(f"{line[:1].upper()}{line[1:]}."))
    notices.left_out(torn(found, [entry.id]))
    st.download_button(
        "Embedding, sidecar and drawings",
        lambda: zipped([(run, [entry.id])], form),
        file_name=f"{stem}.zip",
        mime="application/zip",
        key="concept.download",
        icon=":material/download:",
        on_click="ignore",
    )
    pictures_button([(run, [entry.id])], stem, "concept.pictures")
    st.download_button(
        "With all ancestors, as a family file",
        lambda: family_file(run, [entry.id]),
        file_name=f"{stem}.family.zip",
        mime="application/zip",
        key="concept.family",
        icon=":material/family_history:",
        on_click="ignore",
        help="One file that others can open on the page of runs, or with conceptree import.",
    )


def _reuse(found: Opened, entry: Entry) -> None:
    """Fill in the page of new runs, or the Breed form, with the settings of this concept."""
    again = clicks.button("New run", key="concept.again", of=entry.id, icon=":material/add:", width="stretch")
    bred = entry.birth in ("mix", "image")
    help_ = None if bred else "Only children have parents and weights."
    breeds = clicks.button(
        "Breed",
        key="concept.rebreed",
        of=entry.id,
        icon=":material/diversity_3:",
        disabled=not bred,
        help=help_,
        width="stretch",
    )
    st.caption("“Back to mine” brings back what you had.")
    if not again and not breeds:
        return
    run = found.run
    try:
        request = run.find(entry.id).concept.request
    except ConceptreeError as error:
        notices.error(error)
        return
    if breeds:
        if left_out := breed.take_settings(found, entry, request):
            many = counted(left_out, "parent is", "parents are")
            st.toast(plain(f"{many} left out: the form takes concepts of this run, without photographs."))
        if left_out < len(request.parents):
            links.go("tree", run=run.folder.name)
        return
    asked = _asked(run, request) if request.schedule == "adaptive" else {}
    st.session_state[AGAIN] = Again(entry.name, request, asked, run.about["stack"]["where"])
    links.go("seed")


def _asked(run: Run, request: Request) -> dict[str, str]:
    """Question answerer and question of the seed job with the same settings; empty if there is none, or by default."""
    learned = request.category, request.schedule, request.chosen
    for job in jobs(run):
        plan = learning.plan_of(job)
        if isinstance(plan, Seed) and (plan.category, plan.schedule, plan.settings) == learned:
            return dict(plan.asked)
    return {}
