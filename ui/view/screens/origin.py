"""Origin of a concept: words, parents, curves of Fig. 14, nearest neighbours, scores and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pandas as pd
import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import Individual, Run, fitness
from evolve.store.rows import portion, shares
from evolve.store.run import Descent, Entry
from ui.labels import NAMED_BY, OBJECTIVE_NAMES, OBJECTIVES, SCORE_NAMES, SCORES, SETTING_NAMES
from ui.view import curves, kin, links, model, nearness, notices, store
from ui.view.described import category_of, described
from ui.view.differences import valued, words_of
from ui.view.screens import morph
from ui.view.store import Opened
from ui.view.text import plain, shortened

SMALL = 96  # pixels
RELATIVES, LINKS = 6, 24  # at most
TABS = ("Origin", "Curves", "Nearest", "Morph", "Scores and settings")


def show(found: Opened, entry: Entry) -> None:
    try:
        each = found.run.find(entry.id)
    except ConceptreeError as error:
        notices.error(error)
        return
    st.fragment(_tabs)(found, entry, each)


def _tabs(found: Opened, entry: Entry, each: Individual) -> None:
    came, grew, near, moving, scores = st.tabs(TABS, key="concept.tab", on_change="rerun")
    if came.open:
        with came:
            _origin(found, entry, each)
    if grew.open:
        with grew:
            _curves(found, each)
    if near.open:
        with near:
            _near(found, entry, each)
    if moving.open:
        with moving:
            morph.from_another(found, entry)
    if scores.open:
        with scores:
            _scores(found, entry, each)


def _origin(found: Opened, entry: Entry, each: Individual) -> None:
    request = each.concept.request
    st.markdown(f"**Category:** {plain(category_of(request.category, request.kind))}")
    if request.positives:
        st.markdown(f"**Positives:** {plain(', '.join(words_of(request)))}")
    if entry.parents:
        _parents(found, entry)
        kin.show_founders(found, entry.id)
    children = [other for other in found.entries if any(parent.id == entry.id for parent in other.parents)]
    negatives = each.concept.negatives
    if negatives:
        st.markdown(f"**Negatives**, learned in {counted(each.concept.steps, 'step')}")
        rows = {
            "word": [n.word for n in negatives],
            "from step": [n.step for n in negatives],
            "named by": [NAMED_BY.get(n.by, n.by) for n in negatives],
            "note": [n.note for n in negatives],
        }
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content" if len(negatives) < 8 else 290)
    elif not entry.parents:
        st.caption("No negatives.")
    if request.avoid:
        st.markdown("**Avoids** these earlier concepts")
        here = [found.by_id[avoid.id] for avoid in request.avoid if avoid.id in found.by_id]
        _links(found, here, len(request.avoid) - len(here))
    if children:
        st.markdown("**Children**")
        _links(found, children)


def _links(found: Opened, entries: Sequence[Entry], absent: int = 0) -> None:
    """Links to concepts of the run. absent: how many more the run does not have."""
    more = len(entries) - LINKS
    with st.container(horizontal=True, gap="small"):
        for each in entries[:LINKS]:
            links.to("concept", plain(each.name), run=found.run.folder.name, concept=each.id)
        told = [f"and {more} more"] if more > 0 else []
        told += [f"{counted(absent, 'concept')} not in this run"] if absent else []
        if told:
            st.caption(", ".join(told))


def _parents(found: Opened, entry: Entry) -> None:
    st.markdown("**Parents**")
    with st.container(horizontal=True, gap="medium"):
        for parent, share in zip(entry.parents, shares(entry.parents), strict=True):
            with st.container(width=SMALL + 24, gap="xsmall"):
                _parent(found, parent, share)


def _parent(found: Opened, parent: Descent, share: float) -> None:
    name = found.run.folder.name
    there, where = found, name
    if parent.id not in found.by_id and parent.run and parent.run != name:
        with suppress(ConceptreeError):  # else it is shown by its id
            there, where = store.opened(parent.run), parent.run
    if parent.is_photo:
        photo = found.run.photos().get(parent.id)
        if photo:
            st.image(links.photo(name, parent.id, 128), width=SMALL, alt=f"photograph {photo.label}")
        st.caption(plain(f"{shortened(photo.label if photo else parent.brief, 24)}, a photograph"))
    elif other := there.by_id.get(parent.id):
        if drawn := there.drawing(parent.id):
            st.image(links.picture(where, drawn, 192), width=SMALL, alt=described(other, drawn))
        links.to("concept", plain(other.name), run=where, concept=other.id)
    else:
        st.caption(plain(f"{parent.brief}, not found here"))
    part = plain(portion(share, parent.kind, percent=True))
    st.caption(f"{part}{' · variation' if parent.kind == 'mutate' else ''}")


def _curves(found: Opened, each: Individual) -> None:
    concept = each.concept
    table = curves.table(concept, found.run.names())
    if table.empty:
        st.caption("No measurements.")
        return
    what = f"similarity of {each.name} to each of its constraints, by step"
    st.altair_chart(curves.chart(table, concept.kept_step), width="stretch", key="concept.curves", alt=what)
    st.caption(
        "Similarity of the imagined concept to each constraint, on the fixed prompts. Dashed lines are negatives; a"
        " diamond marks the step that added one. The grey line is the kept step. Click a name to show it alone."
    )
    with st.expander("As a table", key="concept.curves.table"):
        st.dataframe(table, hide_index=True)


def _near(found: Opened, entry: Entry, each: Individual) -> None:
    relatives = nearness.relatives(found.run.image_embeds(), entry.id, RELATIVES)
    st.markdown("**Nearest concepts** of this run, by cosine of the imagined images")
    if not relatives:
        st.caption("This run has no other concepts.")
    with st.container(horizontal=True, gap="medium"):
        for id_, cosine in relatives:
            other = found.by_id.get(id_)
            if other is None:
                continue
            with st.container(width=SMALL, gap="xsmall"):
                if drawn := found.drawing(id_):
                    st.image(links.picture(found.run.folder.name, drawn, 192), width=SMALL, alt=described(other, drawn))
                links.to("concept", plain(other.name), run=found.run.folder.name, concept=id_)
                st.caption(f"{cosine:.2f}")
    st.markdown("**Nearest known words**")
    try:
        with st.spinner("Comparing with known words …"):
            words = nearness.words(model.backbone(found.run), each)
    except ConceptreeError as error:
        notices.error(error)
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
        st.markdown("**Scores** when it was learned")
        _scored(entry.scores, SCORE_NAMES, SCORES)
        st.markdown("**Fitness**, on the fixed prompts")
        try:
            with st.spinner("Measuring …"):
                values = _fitness(found.run, each)
            _scored(values, OBJECTIVE_NAMES, OBJECTIVES)
        except ConceptreeError as error:
            notices.error(error)
    with right:
        st.markdown("**Settings**")
        concept, request = each.concept, each.concept.request
        told = [
            ("id", concept.id),
            ("seed", str(request.seed)),
            ("schedule", request.schedule),
            ("initializer", request.initializer or request.category),
            ("vectors", " × ".join(map(str, concept.vectors.shape))),
            ("kept step", f"{concept.kept_step} of {concept.steps}"),
            ("time", f"{concept.seconds:.0f} s"),
            ("stack", f"{concept.version} ({concept.fingerprint})"),
            *((SETTING_NAMES.get(name, name), valued(value)) for name, value in request.chosen.to_dict().items()),
        ]
        table = pd.DataFrame(told, columns=["name", "value"])
        st.dataframe(table, hide_index=True, height="content" if len(told) < 12 else 360)


def _fitness(run: Run, each: Individual) -> dict[str, float]:
    """Stored fitness, or fitness measured now if an earlier version stored only part of it."""
    stored = fitness.of_run(run, {each.id}).get(each.id, {})
    known = {name: value for name, value in stored.items() if value is not None}
    return (
        known
        if len(known) == len(fitness.OBJECTIVES)
        else nearness.fitness(model.backbone(run), each, run.image_embeds())
    )


def _scored(scores: Mapping[str, float], names: Mapping[str, str], labels: Mapping[str, str]) -> None:
    """A table of scores with their meanings."""
    rows = [(names.get(name, name), f"{value:.3f}", labels.get(name, "")) for name, value in scores.items()]
    st.dataframe(pd.DataFrame(rows, columns=["name", "value", "meaning"]), hide_index=True, height="content")
