"""A concept's own page: what it looks like, how it came to be, what it is near to, and what people say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import ConceptreeError
from core.exchange import readers
from evolve import Individual, Run
from evolve.fitness import of_run
from evolve.run import Descent, Drawing, Entry
from evolve.share import family_file
from ui.exchange import stem_of
from ui.stack import words_unknown_in
from ui.view import curves, drawing, links, model, nearness, store, undo
from ui.view.cards import Card, cards, choose
from ui.view.downloads import FORMS, zipped
from ui.view.store import Opened
from ui.view.text import counted, plain, shortened

BIG, SMALL = 512, 96  # pixels
EVERY = 2.0  # seconds between two looks whether a process has drawn
RELATIVES = 6
BY = {"vqa": "question answerer", "user": "a person", "request": "asked for", "vocabulary": "the vocabulary"}
BIRTHS = {"founder": "founder", "mix": "child", "mutate": "variation", "image": "child of pictures"}
TABS = ("How it came to be", "Curves", "Nearest", "Scores and settings")
OBJECTIVES = {
    "belongs": "how much it is of its category",
    "differs": "that, minus its likeness to the nearest known member",
    "novel": "its distance to the nearest other concepts",
    "consistent": "whether it looks the same in different prompts",
}


def show() -> None:
    found = store.opened(st.session_state["run"])
    entry = _entry(found)
    if entry is None:
        return
    _head(found, entry)
    looks, story = st.columns([1, 2], gap="large")
    with looks:
        _drawings(found, entry)
    with story:
        _said(found, entry)
        _actions(found, entry)
        _story(found, entry)


def _entry(found: Opened) -> Entry | None:
    """The concept that the address names, by id or by name; without one, what can be done."""
    asked = st.query_params.get("concept", "")
    try:
        if asked:
            return found.by_id.get(asked) or found.run.entry(asked)
        if found.entries:
            st.info("The address names no concept: choose one in the gallery.", icon=":material/pets:")
        else:
            st.info("This run has no concepts yet.", icon=":material/pets:")
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
    name = found.run.folder.name
    links.to("gallery", "Gallery", icon=":material/grid_view:", run=name)
    links.to("tree", "Family tree", icon=":material/account_tree:", run=name)
    return None


def _head(found: Opened, entry: Entry) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="concept.head"):
        st.title(plain(entry.name), anchor=False, width="content")
        of = f"style of {entry.category}" if entry.kind == "style" else entry.category
        told = [of, BIRTHS[entry.birth], f"generation {entry.generation}", f"{entry.created_at:%Y-%m-%d %H:%M}"]
        if entry.born != entry.name:
            told.append(f"born as {entry.born}")
        if entry.note.hidden:
            told.append("hidden")
        st.caption(plain(" · ".join(told)), width="content")
        st.space("stretch")
        undo.bar(found.run)
        shown = [each for each in found.entries if not each.note.hidden or each.id == entry.id]
        place = [each.id for each in shown].index(entry.id)
        before = shown[place - 1] if place else None
        after = shown[place + 1] if place + 1 < len(shown) else None
        for key, label, other in (("before", "Previous", before), ("after", "Next", after)):
            icon = ":material/arrow_back:" if key == "before" else ":material/arrow_forward:"
            help_ = plain(other.name) if other else None
            if st.button(label, key=f"concept.{key}", icon=icon, disabled=other is None, help=help_) and other:
                links.go("concept", run=found.run.folder.name, concept=other.id)


# What it looks like


def _drawings(found: Opened, entry: Entry) -> None:
    name, key = found.run.folder.name, f"concept.drawings.{found.run.folder.name}.{entry.id}"
    there = found.drawings.get(entry.id, [])
    by_stem = {each.file.stem: each for each in there}
    lost = [each for each in there if not each.file.is_file()]
    place = st.container()
    shown = there[0] if there else None
    if len(there) > 1 or lost:
        items = [
            Card(
                stem,
                _titled(each, entry),
                "" if each in lost else links.picture(name, each, 192),
                alt(entry, each),
                f"seed {each.seed}",
            )
            for stem, each in by_stem.items()
        ]
        chosen = cards(
            items,
            [there[0].file.stem],
            key=key,
            label="Drawings",
            height=250,
            side=SMALL,
            several=False,
            opens=False,
        ).selected
        shown = by_stem[chosen[0]] if chosen else shown
    with place:
        if shown is None:
            st.info("Nothing is drawn of it yet: ask for a drawing below.", icon=":material/brush:")
        elif shown in lost:
            lacking = f"The picture {shown.file.name} is missing. Draw it again below."
            st.warning(plain(lacking), icon=":material/healing:")
        else:
            st.image(links.picture(name, shown, BIG), width="stretch", alt=alt(entry, shown))
            st.caption(plain(f"{_titled(shown, entry)}, seed {shown.seed}"))
    st.fragment(_draw_anew)(found, entry, key)


def alt(entry: Entry, each: Drawing | None = None) -> str:
    """What a picture of a concept shows, for people who cannot see it."""
    if each is None:
        return f"{entry.name}, a {entry.category} that does not exist"
    return f"{_titled(each, entry)}, of a {entry.category} that does not exist"


def _titled(each: Drawing, entry: Entry) -> str:
    return each.prompt.replace("{}", entry.name)


def _draw_anew(found: Opened, entry: Entry, key: str) -> None:
    """Another prompt: with what is suggested, and what was drawn before."""
    with st.container(border=True, key="concept.anew"):
        text = st.text_input(
            "Draw it in another prompt",
            key="concept.prompt",
            max_chars=300,
            placeholder=f"a photo of a {shortened(entry.name, 30)} in the snow",
            help="Say its name, or {}, where it stands.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            seed = st.number_input("Seed", 0, 10**9, 1, key="concept.seed", width=130)
            asked = st.button("Draw", key="concept.draw", type="primary", icon=":material/brush:")
        drawn = [each.prompt for each in found.drawings.get(entry.id, [])]
        before = [each.prompt for drawings in found.drawings.values() for each in drawings]
        offered = [*dict.fromkeys(reversed(before)), *drawing.ideas(entry.kind)]
        offered = [prompt for prompt in dict.fromkeys(offered) if prompt not in drawn][:8]
        if offered:
            st.pills(
                "Ideas, and what was drawn of others",
                offered,
                key="concept.ideas",
                format_func=lambda prompt: plain(shortened(prompt.replace("{}", "…"), 48)),
                on_change=_take_idea,
            )
        if said := st.session_state.pop("concept.told", ""):
            st.warning(plain(said), icon=":material/translate:")
        if asked:
            _draw(found.run, entry, text, int(seed), key)
        errand = drawing.errand(found.run, entry.id)
        if errand and errand.process.poll() is None:
            st.fragment(_await, run_every=EVERY)(found.run, entry)
        elif errand and errand.problem:
            st.error(plain(f"It could not be drawn: {errand.problem}"), icon=":material/error:")


def _take_idea() -> None:
    idea = st.session_state.get("concept.ideas")
    if idea:
        st.session_state["concept.prompt"] = idea
        st.session_state["concept.ideas"] = None


def _draw(run: Run, entry: Entry, text: str, seed: int, key: str) -> None:
    try:
        prompt = drawing.prompt_from(text, entry)
        with st.spinner("Drawing …"):
            is_there = drawing.draw(run, [(entry.id, prompt, seed)])
            unknown = words_unknown_in(model.backbone(run), prompt)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if unknown:
        st.session_state["concept.told"] = f"To this model these words mean nothing: {', '.join(unknown)}."
    if is_there:
        made = [d for d in run.drawings(entry.id, []) if (d.prompt, d.seed) == (prompt, seed)]
        choose(key, [d.file.stem for d in made[:1]])
        st.rerun(scope="app")


def _await(run: Run, entry: Entry) -> None:
    errand = drawing.errand(run, entry.id)
    if errand is None or errand.process.poll() is not None:
        st.rerun(scope="app")
    st.caption("A process of its own is drawing it; you can go on working.")


# What people say of it


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
    st.text_area("Comment", key="concept.comment", max_chars=10_000, height=68, on_change=_comment, args=(run, entry))


def _rename(run: Run, entry: Entry) -> None:
    typed = st.session_state["concept.name"]
    name = typed.strip() if typed.strip() not in ("", entry.born) else None
    st.session_state.pop("concept.wrong", None)
    what = f"{entry.name} is called {name or entry.born} now"
    if (name or entry.born) != entry.name and not undo.note(run, entry.id, what, name=name):
        st.session_state["concept.wrong"] = (entry.id, typed, undo.take_problem())


def _rate(run: Run, entry: Entry) -> None:
    stars = st.session_state["concept.rating"]
    rating = None if stars is None else stars + 1
    undo.note(run, entry.id, f"{entry.name}: {f'rated {rating} of 5' if rating else 'not rated'}", rating=rating)


def _mark(run: Run, entry: Entry, field: str) -> None:
    value = bool(st.session_state[f"concept.{field}"])
    undo.note(run, entry.id, f"{entry.name}: {'' if value else 'not '}{field}", **{field: value})


def _comment(run: Run, entry: Entry) -> None:
    undo.note(run, entry.id, f"comment on {entry.name}", comment=st.session_state["concept.comment"])


def _actions(found: Opened, entry: Entry) -> None:
    run = found.run
    name = run.folder.name
    chosen: dict[str, float] = st.session_state.setdefault("parents", {}).setdefault(name, {})
    with st.container(horizontal=True, gap="small"):
        is_parent = entry.id in chosen
        label = "Is a parent now" if is_parent else "Make a parent"
        icon = ":material/check:" if is_parent else ":material/family_restroom:"
        if st.button(label, key="concept.parent", icon=icon, help="Breed children of it on the family tree's page"):
            chosen.pop(entry.id) if is_parent else chosen.update({entry.id: 1.0})
            st.rerun()
        if st.button("Repeat", key="concept.again", icon=":material/replay:", help="New founders with these settings"):
            _repeat(run, entry)
        if st.button("Compare", key="concept.compare", icon=":material/compare:"):
            links.go("compare", run=name, concepts=entry.id)
        with st.popover("Export", icon=":material/download:", key="concept.export"):
            _export(run, entry)
        if chosen:
            links.to("tree", f"Breed {counted(len(chosen), 'parent')}", icon=":material/account_tree:", run=name)


def _export(run: Run, entry: Entry) -> None:
    form = st.selectbox("Format", list(FORMS), format_func=FORMS.get, key="concept.form")
    try:
        each = run.find(entry.id)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    stem = stem_of(each)
    line = readers(form, each.concept.vectors)
    st.caption(plain(f"{line[:1].upper()}{line[1:]}."))
    st.download_button(
        "Embedding, sidecar and drawings",
        lambda: zipped([(run, [entry.id])], form),
        file_name=f"{stem}.zip",
        mime="application/zip",
        key="concept.download",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "With all its ancestors, as a family",
        lambda: family_file(run, [entry.id]),
        file_name=f"{stem}.family.zip",
        mime="application/zip",
        key="concept.family",
        icon=":material/family_history:",
        on_click="ignore",
        help="One file that others open on the page of runs, or with conceptree adopt.",
    )


def _repeat(run: Run, entry: Entry) -> None:
    """Let the page of new runs begin with what this one was learned with."""
    try:
        request = run.find(entry.id).concept.request
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state["seed:again"] = {
        "category": request.category,
        "kind": request.kind,
        "settings": request.chosen.to_dict(),
        "seed": request.seed,
        "schedule": request.schedule,
        "negatives": list(request.negatives),
        "model": run.about["stack"]["where"],
        "of": entry.name,
    }
    links.go("seed")


# How it came to be


def _story(found: Opened, entry: Entry) -> None:
    try:
        each = found.run.find(entry.id)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.fragment(_tabs)(found, entry, each)


def _tabs(found: Opened, entry: Entry, each: Individual) -> None:
    came, grew, near, scores = st.tabs(TABS, key="concept.tab", on_change="rerun")
    names = _names(found, each)
    if came.open:
        with came:
            _came(found, entry, each)
    if grew.open:
        with grew:
            _curves(each, names)
    if near.open:
        with near:
            _near(found, entry, each)
    if scores.open:
        with scores:
            _scores(found, entry, each)


def _came(found: Opened, entry: Entry, each: Individual) -> None:
    request = each.concept.request
    positives = [
        f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives
    ]
    st.markdown(f"**Category:** {plain(request.category)}{', a style' if request.kind == 'style' else ''}")
    if positives:
        st.markdown(f"**Is:** {plain(', '.join(positives))}")
    if entry.parents:
        _parents(found, entry)
    children = [other for other in found.entries if any(parent.id == entry.id for parent in other.parents)]
    negatives = each.concept.negatives
    if negatives:
        st.markdown(f"**Is not**, and since which step of {each.concept.steps}:")
        rows = {
            "word": [n.word for n in negatives],
            "since step": [n.step for n in negatives],
            "named by": [BY.get(n.by, n.by) for n in negatives],
            "note": [n.note for n in negatives],
        }
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content" if len(negatives) < 8 else 290)
    elif not entry.parents:
        st.caption("Nothing was said that it shall not be.")
    if request.avoid:
        st.markdown(f"**Keeps away from** {counted(len(request.avoid), 'concept')} that came before it.")
    if children:
        st.markdown("**Children**")
        with st.container(horizontal=True, gap="small"):
            for child in children[:24]:
                links.to("concept", plain(child.name), run=found.run.folder.name, concept=child.id)
            if len(children) > 24:
                st.caption(f"and {len(children) - 24} more")


def _parents(found: Opened, entry: Entry) -> None:
    st.markdown("**Comes from**")
    total = sum(parent.weight for parent in entry.parents)
    with st.container(horizontal=True, gap="medium"):
        for parent in entry.parents:
            with st.container(width=SMALL + 24, gap="xsmall"):
                _parent(found, parent, parent.weight / total)


def _parent(found: Opened, parent: Descent, share: float) -> None:
    name = found.run.folder.name
    there, where = found, name
    if parent.id not in found.by_id and parent.run and parent.run != name:
        with suppress(ConceptreeError):  # or else it goes by its id
            there, where = store.opened(parent.run), parent.run
    if parent.is_photo:
        photo = found.run.photos([]).get(parent.id)
        if photo:
            st.image(links.photo(name, parent.id, 128), width=SMALL, alt=f"photograph {photo.label}")
        st.caption(plain(f"{shortened(photo.label if photo else parent.brief, 24)}, a photograph"))
    elif other := there.by_id.get(parent.id):
        drawn = next((d for d in there.drawings.get(parent.id, ()) if d.file.is_file()), None)
        if drawn:
            st.image(links.picture(where, drawn, 192), width=SMALL, alt=alt(other, drawn))
        links.to("concept", plain(other.name), run=where, concept=other.id)
    else:
        st.caption(plain(f"{parent.brief}, which is not here"))
    st.caption(f"{share:.0%}{' · varied' if parent.kind == 'mutate' else ''}")


def _names(found: Opened, each: Individual) -> dict[str, str]:
    """What the constraints of a concept are called that are no words."""
    names = {other.id: other.name for other in found.entries}
    names |= {photo.id: photo.label for photo in found.run.photos([]).values()}
    request = each.concept.request
    told = {f"avoid:{avoid.id}": f"not like {names.get(avoid.id, avoid.id[:8])}" for avoid in request.avoid}
    return told | {f"parent:{p.id}": f"like {names.get(p.id, p.id[:14])}" for p in request.parents}


def _curves(each: Individual, names: Mapping[str, str]) -> None:
    concept = each.concept
    table = curves.table(concept, names)
    if table.empty:
        st.caption("Nothing was measured while it was learned.")
        return
    what = f"how similar {each.name} was to each of its constraints, by step"
    st.altair_chart(curves.chart(table, concept.kept_step), width="stretch", key="concept.curves", alt=what)
    st.caption(
        "Similarity of what is imagined to each word, on the fixed prompts. A diamond is the step at which a negative"
        " came; the dashed line the step that was kept. Click a name to see it alone."
    )
    with st.expander("As a table", key="concept.curves.table"):
        st.dataframe(table, hide_index=True)


def _near(found: Opened, entry: Entry, each: Individual) -> None:
    relatives = nearness.relatives(found.run.image_embeds(), entry.id, RELATIVES)
    st.markdown("**Nearest relatives**, by what the model imagines")
    if not relatives:
        st.caption("There are no others to compare it with.")
    with st.container(horizontal=True, gap="medium"):
        for id_, cosine in relatives:
            other = found.by_id.get(id_)
            if other is None:
                continue
            with st.container(width=SMALL, gap="xsmall"):
                drawn = next((d for d in found.drawings.get(id_, ()) if d.file.is_file()), None)
                if drawn:
                    st.image(links.picture(found.run.folder.name, drawn, 192), width=SMALL, alt=alt(other, drawn))
                links.to("concept", plain(other.name), run=found.run.folder.name, concept=id_)
                st.caption(f"{cosine:.2f}")
    st.markdown("**Nearest known words**")
    try:
        with st.spinner("Asking the model …"):
            words = nearness.words(model.backbone(found.run), each)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if not words:
        st.caption("This model lists no words of the category.")
        return
    table = pd.DataFrame({"word": [word for word, _ in words], "similarity": [value for _, value in words]})
    bar = st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=1.0)
    st.dataframe(table, hide_index=True, column_config={"similarity": bar}, height="content")


def _scores(found: Opened, entry: Entry, each: Individual) -> None:
    left, right = st.columns(2)
    with left:
        st.markdown("**When it was learned**")
        _pairs([(name, f"{value:.3f}") for name, value in entry.scores.items()])
        st.markdown("**Fitness**, on the fixed prompts")
        try:
            with st.spinner("Measuring …"):
                values = _fitness(found.run, each)
            _pairs([(name, f"{value:.3f}") for name, value in values.items()])
            st.caption("; ".join(f"{name}: {what}" for name, what in OBJECTIVES.items()) + ".")
        except ConceptreeError as error:
            st.error(plain(str(error)), icon=":material/error:")
    with right:
        st.markdown("**Settings**")
        concept, request = each.concept, each.concept.request
        told = [
            ("id", concept.id),
            ("seed", str(request.seed)),
            ("negatives", request.schedule),
            ("begins at", request.initializer or request.category),
            ("vectors", " × ".join(map(str, concept.vectors.shape))),
            ("kept step", f"{concept.kept_step} of {concept.steps}"),
            ("took", f"{concept.seconds:.0f} s"),
            ("stack", f"{concept.version} ({concept.fingerprint})"),
            *((name, _valued(value)) for name, value in request.chosen.to_dict().items()),
        ]
        _pairs(told)


def _fitness(run: Run, each: Individual) -> dict[str, float]:
    """As it is stored, or measured now if the concept was learned by a version that did not measure all of it."""
    stored = of_run(run, {each.id}).get(each.id, {})
    known = {name: value for name, value in stored.items() if value is not None}
    return known if len(known) == len(OBJECTIVES) else nearness.fitness(model.backbone(run), each, run.image_embeds())


def _pairs(rows: Sequence[tuple[str, str]]) -> None:
    table = pd.DataFrame({"what": [name for name, _ in rows], "value": [value for _, value in rows]})
    st.dataframe(table, hide_index=True, height="content" if len(rows) < 12 else 360)


def _valued(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)
