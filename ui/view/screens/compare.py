"""Two to six concepts side by side: drawings with the same prompts and seeds, differences, scores."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from evolve import Individual
from evolve.store.run import Drawing, Entry
from ui.pictures import PROMPTS, SEED, checked_prompt, is_whole, usual_in
from ui.view import clicks, differences, errands, links, notices, steady, store, undo
from ui.view.described import described
from ui.view.over import over
from ui.view.parents import parents_of
from ui.view.screens import morph
from ui.view.selection import state_of
from ui.view.store import Opened
from ui.view.text import plain, shortened

LEAST, MOST = 2, 6
SLIDER = 420  # pixels of two pictures over each other
SIDES = {2: 320, 3: 280, 4: 220, 5: 180, 6: 150}  # pixels of a picture, by the number in a row


def show() -> None:
    found = store.current()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Compare", anchor=False, width="content")
        undo.bar(found.run)
    notices.warn_of(found.damage)
    chosen = _chosen(found)
    if len(chosen) < LEAST:
        if chosen:
            st.caption("Choose at least one other concept.")
        return
    st.fragment(_pictures)(found.run.folder.name, tuple(each.id for each in chosen))
    if len(chosen) == 2:
        with st.expander("Morph", icon=":material/animation:", key="compare.morph", on_change="rerun") as opened:
            if opened.open:
                st.fragment(morph.between)(found, chosen[0], chosen[1])
    _facts(found, chosen)


def _chosen(found: Opened) -> list[Entry]:
    """The concepts of the address, or those chosen since, at first likely ones; updates the address."""
    name = found.run.folder.name
    key = f"compare.concepts.{name}"
    asked = [each for each in st.query_params.get("concepts", "").split(",") if each]
    known = [each for each in asked if each in found.by_id]
    if len(known) < len(asked):
        st.warning(f"The address names {counted(len(asked) - len(known), 'concept')} that this run does not have.")
    if key not in st.session_state or st.session_state.get("compare.address") != asked:
        st.session_state[key] = known[:MOST] if asked or key in st.session_state else likely(found)
    there = {*known, *st.session_state[key]}
    offered = [each.id for each in found.entries if not each.note.hidden or each.id in there]
    names = {each.id: each.name for each in found.entries}
    chosen = st.multiselect(
        "Concepts",
        offered,
        key=key,
        format_func=lambda id_: names.get(id_, id_),
        max_selections=MOST,
        placeholder=f"Choose {LEAST} to {MOST} concepts",
    )
    st.session_state["compare.address"] = chosen
    if chosen != asked:
        if chosen:
            st.query_params["concepts"] = ",".join(chosen)
        else:
            st.query_params.pop("concepts", None)
    return [found.by_id[id_] for id_ in chosen]


def likely(found: Opened) -> list[str]:
    """Ids of the concepts that a person may want to compare.

    Those selected in the tree or in the gallery, a single one with its parents; else the chosen parents; else the
    newest child with its parents, or the newest concepts.
    """
    run, by_id = found.run.folder.name, found.by_id
    visible = [each for each in found.entries if not each.note.hidden]

    def with_parents(id_: str) -> list[str]:
        return [id_, *(parent.id for parent in by_id[id_].parents if parent.id in by_id)]

    selected = [id_ for id_ in state_of(run).selected if id_ in by_id] or steady.selected_of(run)
    selected = [id_ for id_ in selected if id_ in by_id]
    offers = [
        with_parents(selected[0]) if len(selected) == 1 else selected,
        [id_ for id_ in parents_of(run) if id_ in by_id],
        *(with_parents(each.id) for each in reversed(visible)),
        [each.id for each in visible[-LEAST:]],
    ]
    return next((list(dict.fromkeys(offer))[:MOST] for offer in offers if len(set(offer)) >= LEAST), [])


def _pictures(run: str, ids: Sequence[str]) -> None:
    """A row for each prompt, a column for each concept, and a button for missing drawings."""
    found = store.opened(run)
    chosen = [found.by_id[id_] for id_ in ids if id_ in found.by_id]
    if len(chosen) < LEAST:  # the run has changed meanwhile
        return
    prompts = _prompts(found, chosen)
    seed = int(st.session_state.get("compare.seed", SEED))
    there = {(d.concept, d.prompt, d.seed): d for id_ in ids for d in found.drawings.get(id_, ()) if is_whole(d.file)}
    for each in chosen:  # a portrait has its own seed
        there |= {(each.id, d.prompt, SEED): d for d in usual_in(found.drawings.get(each.id, ()), each.kind)}
    wanted = [(id_, prompt, seed) for prompt in prompts for id_ in ids]
    lacking = [each for each in wanted if each not in there]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Another prompt",
            key="compare.prompt",
            placeholder="a photo of a … in the snow",
            max_chars=300,
            width=320,
            help="Write … or {} where the concept stands.",
            on_change=_add_prompt,
            args=(run,),
        )
        st.number_input("Seed", 0, 10**9, SEED, key="compare.seed", width=110)
        asked = clicks.button(
            f"Draw {counted(len(lacking), 'missing picture')}" if lacking else "Everything is drawn",
            key="compare.draw",
            of=" ".join(each.id for each in chosen),
            type="primary" if lacking else "secondary",
            icon=":material/brush:",
            disabled=not lacking,
        )
    if wrong := st.session_state.get("compare.wrong"):
        notices.error(wrong)
    if asked and errands.draw(found.run, lacking):
        st.rerun()
    errands.watch(found.run, chosen)
    over_each_other = len(chosen) == 2 and _over_each_other()
    head = st.columns(len(chosen))
    for column, each in zip(head, chosen, strict=True):
        with column:
            links.to("concept", f"**{plain(each.name)}**", run=run, concept=each.id)
    for prompt in prompts:
        st.caption(plain(prompt.replace("{}", "…")))
        both = [there[each.id, prompt, seed] for each in chosen if (each.id, prompt, seed) in there]
        if over_each_other and len(both) == len(chosen):
            _slider(run, chosen, both, prompt)
            continue
        for column, each in zip(st.columns(len(chosen)), chosen, strict=True):
            with column:
                _picture(run, each, there.get((each.id, prompt, seed)), SIDES[len(chosen)])


def _over_each_other() -> bool:
    """Whether two pictures are shown in one place, with a slider between them."""
    ways = ["Side by side", "Slider"]
    return st.segmented_control("Show", ways, default=ways[0], required=True, key="compare.how") == ways[1]


def _slider(run: str, chosen: Sequence[Entry], drawn: Sequence[Drawing], prompt: str) -> None:
    over(
        [links.picture(run, each, 512) for each in drawn],
        [shortened(each.name, 40) for each in chosen],
        [described(each, drawing) for each, drawing in zip(chosen, drawn, strict=True)],
        key=f"compare.over.{prompt}",
        side=SLIDER,
    )


def _picture(run: str, each: Entry, drawn: Drawing | None, side: int) -> None:
    if drawn is None:
        with st.container(
            border=True, height=side, width=side, horizontal_alignment="center", vertical_alignment="center"
        ):
            st.caption("not drawn", width="content")
        return
    st.image(links.picture(run, drawn, 256), width=side, alt=described(each, drawn))


def _prompts(found: Opened, chosen: Sequence[Entry]) -> list[str]:
    """The usual prompts of their kind, those added here, and those in which two or more concepts are drawn."""
    kinds = dict.fromkeys(each.kind for each in chosen)
    counts: dict[str, int] = {}
    for each in chosen:
        for prompt in dict.fromkeys(d.prompt for d in found.drawings.get(each.id, ())):
            counts[prompt] = counts.get(prompt, 0) + 1
    usual = [prompt for kind in kinds for prompt in PROMPTS[kind]]
    shared = [prompt for prompt, count in counts.items() if count > 1]
    added = st.session_state.get(f"compare.added.{found.run.folder.name}", [])
    return list(dict.fromkeys([*usual, *added, *shared]))


def _add_prompt(run: str) -> None:
    text = " ".join(st.session_state["compare.prompt"].split())
    text = text if "{}" in text else text.replace("...", "…").replace("…", "{}", 1)
    st.session_state.pop("compare.wrong", None)
    if not text:
        return
    try:
        prompt = checked_prompt(text)
    except ConceptreeError as error:
        st.session_state["compare.wrong"] = str(error)
        return
    added = st.session_state.setdefault(f"compare.added.{run}", [])
    if prompt not in added:
        added.append(prompt)
    st.session_state["compare.prompt"] = ""


def _facts(found: Opened, chosen: Sequence[Entry]) -> None:
    """Differences, scores, and equal facts folded."""
    learned: list[Individual] = []
    for each in chosen:
        try:
            learned.append(found.run.find(each.id))
        except ConceptreeError as error:
            notices.error(error)
    if len(learned) < LEAST:
        return
    names = {each.id: each.name for each in found.entries}
    rows = differences.rows(learned, names)
    unlike, alike = [row for row in rows if row.differs], [row for row in rows if not row.differs]
    titles = _titles(learned)
    st.subheader(f"Differences: {counted(len(unlike), 'fact')}", anchor=False)
    if unlike:
        st.caption("Values that at most half of the concepts have are **bold**.")
        st.table(_table(unlike, titles, mark=True), hide_index=True, alt="Differences")
    st.subheader("Scores", anchor=False)
    st.table(_table(differences.scores(learned), titles), hide_index=True, alt="Scores when they were learned")
    with st.expander(f"Equal: {counted(len(alike), 'fact')}", key="compare.equal"):
        told = {"fact": [row.fact for row in alike], "value of all": [", ".join(row.values[0]) for row in alike]}
        st.dataframe(pd.DataFrame(told), hide_index=True, height="content")


def _titles(learned: Sequence[Individual]) -> list[str]:
    """Column titles, which must differ even if two concepts have the same name."""
    names = [shortened(each.name, 40) for each in learned]
    return [
        name if names.count(name) == 1 else f"{name} ({each.id[:8]})" for name, each in zip(names, learned, strict=True)
    ]


def _table(rows: Sequence[differences.Row], titles: Sequence[str], mark: bool = False) -> pd.DataFrame:
    """Facts as rows, in Markdown. mark: rare values in bold."""
    columns: dict[str, list[str]] = {"fact": [row.fact for row in rows]}
    for place, title in enumerate(titles):
        columns[plain(title)] = [
            ", ".join(f"**{plain(item)}**" if mark and row.is_rare(item) else plain(item) for item in row.values[place])
            for row in rows
        ]
    return pd.DataFrame(columns)
