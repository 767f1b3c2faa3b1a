"""The way from one concept to another: a strip of mixtures, a slider to choose one and breed it, and an animation."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from evolve.jobs.drawings import is_quick
from evolve.mixtures import weights_of_line
from evolve.store.rows import Entry
from ui.console import to_type
from ui.stack import can_draw
from ui.view import clicks, forms, links, model, notices, preview, store
from ui.view.parents import whole
from ui.view.store import Opened, runs_folder
from ui.view.text import plain, shortened

CELLS = 7  # of the strip
SIDE = 160  # pixels of the chosen mixture and of the animation
STEP = 5  # percent between two places of the slider


def between(found: Opened, one: Entry, other: Entry) -> None:
    """Show the strip from one concept to another, a mixture to choose, and the animation."""
    run = found.run.folder.name
    try:
        backbone = model.backbone(found.run)
        mix = preview.Mix(
            backbone, tuple(store.individual(found, each.id).concept.image_embed for each in (one, other))
        )
    except ConceptreeError as error:
        notices.error(error)
        return
    if not can_draw(backbone):
        st.caption("This stack has no decoder, so it cannot draw.")
        return
    key = f"morph.asked.{run}.{one.id}.{other.id}"
    if not is_quick(backbone) and not st.session_state.get(key):
        if clicks.button("Draw the morph", key="morph.draw", of=key, icon=":material/animation:"):
            st.session_state[key] = True
            st.rerun()
        return
    remembered = preview.remember(mix)
    address, way = links.mixtures(remembered), f"{one.name} to {other.name}"
    st.image(f"{address}/{strip_of(CELLS)}.webp", width="stretch", alt=f"{CELLS} mixtures from {way}")
    mixture, moving = st.columns(2, gap="large")
    with mixture:
        _mixture(run, address, one, other)
    with moving:
        st.image(f"{address}/morph.webp", width=SIDE, alt=f"an animation from {way} and back")
        st.caption(plain(f"From {shortened(way, 80)} and back: means of their images, from the same noise."))
        st.download_button(
            "Save the animation",
            lambda: preview.morph(remembered),
            f"{one.name}-{other.name}.webp",
            "image/webp",
            key=f"morph.save.{one.id}.{other.id}",
            on_click="ignore",
            icon=":material/download:",
        )
        st.caption("The same, drawn with all steps:")
        st.code(
            to_type("draw", run, "--morph", one.name, other.name, runs=runs_folder()), language=None, wrap_lines=True
        )


def _mixture(run: str, address: str, one: Entry, other: Entry) -> None:
    """A slider from one concept to the other, the mixture there, and a button that breeds it."""
    place = st.empty()
    share = st.slider(
        plain(f"Share of {shortened(other.name, 40)}"),
        0,
        100,
        50,
        STEP,
        format="%d %%",
        key=f"morph.share.{one.id}.{other.id}",
    )
    place.image(
        f"{address}/{100 - share}-{share}.webp?fine=1",
        width=SIDE,
        alt=f"{100 - share} % {one.name} and {share} % {other.name}",
    )
    if clicks.button(
        "Breed this mixture", key="morph.breed", of=f"{one.id}.{other.id}.{share}", icon=":material/family_restroom:"
    ):
        fields = forms.breeding(run)
        forms.set_aside(f"breed.{run}", fields, f"{one.name} and {other.name}")
        for key, default in fields.items():
            forms.put(key, default)
        forms.put(("parents", run), {id_: part for id_, part in ((one.id, 100 - share), (other.id, share)) if part})
        links.go("tree", run=run)


def from_another(found: Opened, entry: Entry) -> None:
    """Choose a concept, by default the heaviest parent, and show the way from it to this one."""
    parents = [parent.id for parent in sorted(entry.parents, key=lambda each: -each.weight)]
    first = [id_ for id_ in parents if id_ in found.by_id]
    others = [each.id for each in found.entries if each.id not in (*first, entry.id) and not each.note.hidden]
    if not first and not others:
        st.caption("This run has no other concepts.")
        return
    chosen = st.selectbox(
        "From",
        [*dict.fromkeys(first), *others],
        key=f"morph.from.{entry.id}",
        format_func=lambda id_: f"{found.by_id[id_].name}{' (parent)' if id_ in first else ''}",
        width=280,
    )
    between(found, found.by_id[chosen], entry)


def strip_of(cells: int) -> str:
    """Weights of two parents in equal steps, as in an address."""
    ends = (whole({"one": one, "other": other}) for one, other in weights_of_line(cells))
    return "_".join("-".join(map(str, weights.values())) for weights in ends)
