"""Drawings of a concept: one large, all as cards, and new ones in any prompt."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import ConceptreeError
from evolve import Run
from evolve.store.run import Entry
from ui.pictures import is_whole
from ui.stack import words_unknown_in
from ui.view import clicks, decoders, drawing, errands, links, model, notices, seeds, store
from ui.view.cards import Card, cards, choose
from ui.view.described import described, seeded, titled
from ui.view.store import Opened
from ui.view.text import plain, shortened

LONGEST_PROMPT, LARGEST_SEED = 300, 10**9  # that the fields take
BIG, SMALL = 512, 96  # pixels
FEW, HEIGHT = 6, 400  # drawings that are all shown; pixels of a strip of more, which scrolls


def show(found: Opened, entry: Entry) -> None:
    name, key = found.run.folder.name, f"concept.drawings.{found.run.folder.name}.{entry.id}"
    there = found.drawings.get(entry.id, []) + found.renderings.get(entry.id, [])
    by_stem = {each.file.stem: each for each in there}
    lost = [each for each in there if not is_whole(each.file)]
    place = st.container()
    shown = there[0] if there else None
    if len(there) > 1 or lost:
        items = [
            Card(
                stem,
                titled(each, entry),
                "" if each in lost else links.picture(name, each, 192),
                described(entry, each),
                seeded(each),
            )
            for stem, each in by_stem.items()
        ]
        chosen = cards(
            items,
            [there[0].file.stem],
            key=key,
            label="Drawings",
            height=None if len(items) <= FEW else HEIGHT,
            side=SMALL,
            several=False,
            opens=False,
        ).selected
        shown = by_stem[chosen[0]] if chosen else shown
    with place:
        if shown is None:
            st.info("Not drawn yet. Draw it below.", icon=":material/brush:")
        elif shown in lost:
            how = "damaged" if shown.file.is_file() else "missing"
            st.warning(plain(f"The picture {shown.file.name} is {how}."), icon=":material/healing:")
            own = shown.rendered is None
            if own and clicks.button("Draw it again", key="concept.mend", of=entry.id, icon=":material/brush:"):
                _draw(found.run, entry, shown.prompt, shown.seed, key)
        else:
            st.image(links.picture(name, shown, BIG), width="stretch", alt=described(entry, shown))
            st.caption(plain(f"{titled(shown, entry)}, {seeded(shown)}"))
    st.fragment(_draw_anew)(found, entry, key)


def offer(entry: Entry, prompt: str, seed: int | None) -> None:
    """Fill in the fields of a new drawing when the page of the concept opens; not with what they cannot take."""
    fits = seed is not None and seed <= LARGEST_SEED and len(prompt) <= LONGEST_PROMPT
    st.session_state["concept.offered"] = (entry.id, prompt, seed) if fits else ("", "", 0)


def _draw_anew(found: Opened, entry: Entry, key: str) -> None:
    """Draw with another prompt; suggests prompts."""
    whose, prompt, seed = st.session_state.pop("concept.offered", ("", "", 0))
    if whose == entry.id:
        st.session_state["concept.prompt"] = drawing.typed_from(prompt, entry)
        st.session_state["concept.seed"] = seed
    with st.container(border=True, key="concept.anew"):
        text = st.text_input(
            "Draw with another prompt",
            key="concept.prompt",
            max_chars=LONGEST_PROMPT,
            placeholder=f"a photo of a {shortened(entry.name, 30)} in the snow",
            help="Write its name, or {}, where the concept stands.",
        )
        choice = _decoder(found, entry)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            seed = seeds.field("concept.seed", 0, LARGEST_SEED, 1)
            asked = clicks.button("Draw", key="concept.draw", of=entry.id, type="primary", icon=":material/brush:")
        drawn = [each.prompt for each in found.drawings.get(entry.id, [])]
        before = [each.prompt for each in (*found.run.renderings(), *found.run.drawings())]
        offered = [*reversed(before), *drawing.ideas(entry.kind)]
        offered = [prompt for prompt in dict.fromkeys(offered) if prompt not in drawn][:8]
        if offered:
            st.pills(
                "Last prompts, and ideas",
                offered,
                key="concept.ideas",
                format_func=lambda prompt: plain(shortened(prompt.replace("{}", "…"), 48)),
                on_change=_take_idea,
                args=(entry,),
            )
        whose, words = st.session_state.get("concept.unknown", ("", []))
        if whose == entry.id:
            told = f"The model does not know these words: {', '.join(words)}."
            st.warning(plain(told), icon=":material/translate:")
        if asked:
            seeds.used("concept.seed", LARGEST_SEED)
            decoders.remember(found.run.folder, choice)
            if choice.decoder == decoders.OWN:
                _draw(found.run, entry, text, seed, key)
            else:
                _render(found.run, entry, text, seed, choice)
        errands.watch(found.run, [entry])


def _decoder(found: Opened, entry: Entry) -> decoders.Choice:
    """Choose the decoder, if another than the stack's own fits its image embeddings; as last time at first."""
    before = decoders.remembered(found.run.folder)
    try:
        fitting = decoders.fitting(len(store.individual(found, entry.id).concept.image_embed))
    except ConceptreeError:  # the page of a concept says why it cannot be read
        fitting = []
    offered = [decoders.OWN, *fitting]
    if before.decoder not in offered:
        offered.append(before.decoder)
    if len(offered) == 1:
        return before
    key = f"concept.decoder.{found.run.folder.name}"
    for name, value in {key: before.decoder, f"{key}.text": before.text, f"{key}.scale": before.scale}.items():
        st.session_state.setdefault(name, value)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        decoder = st.selectbox(
            "Decoder",
            offered,
            key=key,
            format_func=decoders.label,
            accept_new_options=True,
            width=220,
            help="Another decoder draws the image embedding that the stack imagines. Type a folder or ORG/NAME for"
            " another checkpoint. It draws in the background, and downloads its model at first.",
        )
        # With the text and scale of last time, also for a decoder that has none.
        choice = replace(before, decoder=str(decoder or decoders.OWN)[: decoders.LONGEST])
        if choice.has_text:
            text = st.text_input(
                "Text beside it",
                key=f"{key}.text",
                max_chars=decoders.LONGEST,
                placeholder="a {} in the snow",
                help="{} stands for the category. Without a text, the decoder's own default.",
            )
            choice = replace(choice, text=text)
        if choice.has_scale:
            scale = st.number_input(
                "Scale",
                0.0,
                decoders.HIGHEST_SCALE,
                step=0.1,
                key=f"{key}.scale",
                width=130,
                placeholder="default",
                help="How much the concept counts beside the text.",
            )
            choice = replace(choice, scale=scale)
    return choice


def _render(run: Run, entry: Entry, text: str, seed: int, choice: decoders.Choice) -> None:
    """Draw with another decoder, in the background."""
    try:
        drawing.render(run, (entry.id, drawing.prompt_from(text, entry), seed), choice.options)
    except ConceptreeError as error:
        notices.error(error)


def _take_idea(entry: Entry) -> None:
    idea = st.session_state.get("concept.ideas")
    if idea:
        st.session_state["concept.prompt"] = drawing.typed_from(idea, entry)
        st.session_state["concept.ideas"] = None


def _draw(run: Run, entry: Entry, text: str, seed: int, key: str) -> None:
    try:
        prompt = drawing.prompt_from(text, entry)
    except ConceptreeError as error:
        notices.error(error)
        return
    is_there = errands.draw(run, [(entry.id, prompt, seed)])
    if is_there is None:
        return
    unknown = words_unknown_in(model.backbone(run), prompt)
    # Kept until the next drawing, since choosing the new card reruns the page once more.
    st.session_state["concept.unknown"] = (entry.id, unknown) if unknown else ("", [])
    if is_there:
        made = [d for d in run.drawings(entry.id) if (d.prompt, d.seed) == (prompt, seed)]
        choose(key, [d.file.stem for d in made[:1]])
        st.rerun(scope="app")
