"""Breeding beside the tree: children of several parents, and variations of one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from core.concept import Request, aspect_of
from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from core.wording import counted, meant
from evolve.jobs.choices import UnknownWordError, checked_words, chosen_settings
from evolve.jobs.options import SEED, SPREAD, STRENGTH, BreedOptions
from evolve.jobs.planning import plan_children, plan_variations
from evolve.jobs.plans import Plan
from evolve.jobs.stored import new_job
from evolve.store.run import Entry
from ui.stack import can_draw
from ui.view import births, choice, clicks, forms, model, notices, pace, processes, seeds, sittings
from ui.view.parents import add_photo, away_of, photos_of, uploaded, weights_of, whole
from ui.view.screens import mixing, taking
from ui.view.store import Opened
from ui.view.text import plain, shortened
from ui.workers import conduct_asked

MOST_CHILDREN = 8  # of one form
SEEDED = "With the same parents, another seed gives other children."
MOST_NEAR = 3  # words that are proposed
DRAFT = 0.4  # part of the usual steps
PICTURES = ["png", "jpg", "jpeg", "webp"]
# Suggested first, if the stack knows them.
LOOKS = (
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "golden"),
    *("round", "striped", "spotted", "fluffy", "small", "happy", "angry"),
)


@st.fragment
def mixture(found: Opened) -> None:
    """The parents with their shares, a preview of the mixture, and the form."""
    run, backbone = found.run.folder.name, stack_of(found)
    if st.session_state.pop(mixing.REMOVED, False):
        st.rerun()
    if backbone is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="breed.title"):
        st.markdown("**Breed**", width="stretch")
        with st.popover("Photograph", icon=":material/add_a_photo:", type="tertiary", key="breed.photograph"):
            _dropped(run)
    forms.back_button(f"breed.{run}")
    # Values, not defaults: a form that is kept or filled in sets them too.
    for name, value in forms.BREEDING.items():
        st.session_state.setdefault(f"{name}{run}", value)
    used, away, word, wrong = _parents(found, backbone)
    with st.container(horizontal=True, vertical_alignment="top", key="breed.amount"):
        children = int(st.number_input("Children", 1, MOST_CHILDREN, key=f"breed.children.{run}", width=110))
        draft = _quality(run)
    if children > 1 and len(used) > 1:
        st.slider(
            "Variety",
            *SPREAD.bounds,
            step=0.05,
            key=f"breed.spread.{run}",
            help="How far the shares of the second and later children may differ from those above.",
        )
    with st.container(horizontal=True, vertical_alignment="center", key="breed.how"):
        inherit = st.toggle(
            "Stay in the category",
            key=f"breed.inherit.{run}",
            disabled=bool(word),
            width="stretch",
            help="Children keep the category and the negatives of their parents. Without this they only lie between"
            " their parents. Off if you add a word.",
        )
        with st.popover("More", type="tertiary", key="breed.more"):
            seed = seeds.field(_seed_key(run), *SEED.bounds, None, help=SEEDED)
    usual = chosen_settings(backbone, "default", _kind(found, used), mixing=True).steps
    pace.show_children(children, _drafted(usual) if draft else usual, backbone)
    if _starts(f"Breed {children}", "diversity_3", "breed.start", run, wrong, type="primary"):
        photos = photos_of(run)
        signed = used | {id_: -size for id_, size in away.items()}
        spread = st.session_state.get(f"breed.spread.{run}", SPREAD.default)

        def plan() -> Plan:
            options = BreedOptions(
                parents=[(id_, weight) for id_, weight in signed.items() if id_ not in photos],
                photos=[(photos[id_], weight) for id_, weight in signed.items() if id_ in photos],
                takes=taking.asked(found),
                words=[word] if word else [],
                children=children,
                inherit=inherit and not word,
                spread=spread,
                seed=seed,
                steps=_drafted(usual) if draft else None,
                drafts=can_draw(backbone),
            )
            return plan_children(found.run, backbone, options)

        _start(found, plan)
    choice.keep(run, "parents")


def _parents(found: Opened, backbone: Backbone) -> tuple[dict[str, float], dict[str, float], str, str]:
    """The pad and what is set on it: shares of parents above 0, sizes of weights below 0, and a word with what is wrong
    with it, see `_word`.
    """
    run = found.run.folder.name
    weights = weights_of(run, found)
    place = st.container()  # the pad shows what is set below it
    if set(weights) <= set(away_of(run)):  # a child needs a parent to resemble
        away_of(run).clear()
    away = dict(away_of(run))
    shares = whole({id_: weight for id_, weight in weights.items() if id_ not in away})
    used = {id_: share / 100 for id_, share in shares.items() if share}
    takes = taking.choice(found, backbone, used)
    if len(weights) == 1 and not takes:
        st.caption("Add another parent: select several in the tree, or add a photograph.")
    word, wrong = _word(backbone, run, "breed.word", "Like these, but …")
    previewed = can_draw(backbone) and bool(weights and (len(weights) > 1 or takes or word))
    with place:
        mixing.show(found, backbone, mixing.Wanted(shares, away, takes, word), previewed=previewed)
    if previewed and len(used) + len(away) + len(takes) > 1:
        drawn = dict.fromkeys(id_ for id_ in (*used, *away, *takes.values()) if id_ not in photos_of(run))
        sittings.prepare(found.run, backbone, list(drawn))
    return used, away, word, wrong


def _starts(label: str, icon: str, key: str, of: str, wrong: str, **more: Any) -> bool:
    """Whether the button that starts learning was pressed. wrong: why it cannot be, or ""."""
    more |= {"icon": f":material/{icon}:", "width": "stretch", "disabled": bool(wrong), "help": wrong or None}
    return clicks.button(label, key=key, of=of, once=True, **more)


@st.fragment
def variations(found: Opened, parent: str) -> None:
    """Variations of one parent."""
    run, backbone = found.run.folder.name, stack_of(found)
    if backbone is None:
        return
    limits = (*STRENGTH.bounds, STRENGTH.default)
    strength = st.slider("Strength", *limits, 0.1, key=f"breed.strength.{run}", help=STRENGTH.help)
    word, wrong = _word(backbone, run, "breed.like", "Like this, but …")
    children = int(st.number_input("Variations", 1, MOST_CHILDREN, 2, key=f"breed.variations.{run}", width=110))
    seed = seeds.field(_seed_key(run), *SEED.bounds, None, help=SEEDED)
    if _starts(f"Make {counted(children, 'variation')}", "shuffle", "breed.vary", parent, wrong):
        vary(found, backbone, parent, children, strength=strength, words=[word] if word else [], seed=seed)


def vary(
    found: Opened,
    backbone: Backbone,
    parent: str,
    children: int,
    *,
    strength: float = STRENGTH.default,
    words: Sequence[str] = (),
    seed: int | None = None,
    said: str = "",
) -> None:
    """Start a job that learns variations of a concept (id), or show the error.

    seed: by default a random one. said: a message once it has started.
    """

    def plan() -> Plan:
        return plan_variations(
            found.run,
            backbone,
            parent,
            children=children,
            strength=strength,
            words=words,
            seed=secrets.randbelow(seeds.ROLLED) if seed is None else seed,
            drafts=can_draw(backbone),
        )

    _start(found, plan, said)


def take_settings(found: Opened, entry: Entry, request: Request) -> int:
    """Fill in the form with the parents, the taken aspects and the word of a concept; how many parents were left out.

    Those are photographs and concepts of other runs. Without a parent to resemble nothing changes.
    """
    run = found.run.folder.name
    parents = {each.id: each.weight for each in request.parents if each.kind == "mix" and each.id in found.by_id}
    if not any(weight > 0 for weight in parents.values()):
        return len(request.parents)
    takes = {aspect_of(each.kind): each.id for each in request.parents if each.id in found.by_id}
    takes.pop("", None)
    forms.set_aside(f"breed.{run}", forms.breeding(run), entry.name)
    words = [each.word for each in request.positives if each.word not in ("", request.category)]
    for key, default in forms.breeding(run).items():
        forms.put(key, default)
    forms.put(("parents", run), {id_: abs(weight) for id_, weight in parents.items()})
    forms.put(("breed.away", run), {id_: -weight for id_, weight in parents.items() if weight < 0})
    forms.put(("breed.takes", run), takes)
    forms.put(f"breed.word.{run}", words[0] if words else None)
    forms.put(f"breed.inherit.{run}", bool(request.positives or request.negatives))
    return len(request.parents) - len(parents) - len(takes)


def _seed_key(run: str) -> str:
    return f"breed.seed.{run}"


def stack_of(found: Opened) -> Backbone | None:
    """The stack of the run; None, with the reason on the page, if it cannot be loaded."""
    try:
        return model.backbone(found.run)
    except ConceptreeError as error:
        notices.error(error)
        return None


def _start(found: Opened, plan: Callable[[], Plan], said: str = "") -> None:
    """Write the job and start a process that learns it, or show the error. said: a message once it has started."""
    try:
        job = new_job(found.run, plan(), conduct_asked())
        processes.start(found.run, job)
    except ConceptreeError as error:
        notices.error(error)
        return
    if said:
        st.toast(plain(said), icon=":material/auto_awesome:")
    seeds.used(_seed_key(found.run.folder.name), SEED.most)
    births.started(found.run, job)
    st.rerun()


def _dropped(run: str) -> None:
    """Upload of photographs as parents; shows why a file cannot be one."""
    zone = st.session_state.get(f"breed.dropzone.{run}", 0)
    cutout = st.checkbox(
        "Remove the background",
        key="breed.cutout",
        help="For photographs on a plain background; applies to your next uploads.",
    )
    files = st.file_uploader(
        "Photographs as parents", PICTURES, accept_multiple_files=True, key=f"breed.upload.{run}.{zone}"
    )
    read: dict[str, str] = st.session_state.setdefault("breed.read", {})
    for upload in files or []:
        if upload.file_id in read:
            if read[upload.file_id]:
                st.error(plain(read[upload.file_id]), icon=":material/broken_image:")
            continue
        read[upload.file_id] = ""
        try:
            add_photo(run, uploaded(upload.name, upload.getvalue(), cutout))
        except ConceptreeError as error:
            read[upload.file_id] = str(error)
            st.error(plain(str(error)), icon=":material/broken_image:")
            continue
        st.rerun()


def _word(backbone: Backbone, run: str, key: str, label: str) -> tuple[str, str]:
    """An extra word, or "", and what is wrong with the one in the field, or "". Suggests words of the stack."""
    key = f"{key}.{run}"
    words = _vocabulary(backbone.fingerprint, backbone)
    word = st.selectbox(
        label,
        words,
        index=None,
        key=key,
        placeholder="a word, such as blue",
        accept_new_options=True,
        help="The children also move towards this word.",
    )
    if not word:
        return "", ""
    try:
        checked_words(backbone, [word], "word")
    except UnknownWordError:
        wrong = f"The model does not know “{shortened(word, 40)}”."
    except ConceptreeError as error:
        wrong = str(error)
    else:
        return word, ""
    near = meant(word, words)
    with st.container(key="breed.wrong"):
        todo = "" if near else " Try a simpler word, or choose one of the list."
        st.caption(f":red[{plain(f'{wrong}{todo}')}]")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if near:
                st.caption("Did you mean", width="content")
            for number, each in enumerate(near[:MOST_NEAR]):
                st.button(plain(each), key=f"breed.near.{number}", on_click=forms.put, args=(key, each))
            st.button("no word", key="breed.near.none", type="tertiary", on_click=forms.put, args=(key, None))
    return "", f"{wrong} Choose another word, or none."


@st.cache_data(show_spinner=False)
def _vocabulary(stack: str, _backbone: Backbone) -> list[str]:
    words = _backbone.vocabulary
    looks = filter(_backbone.knows, LOOKS)
    return list(dict.fromkeys([*looks, *sorted({*words.words, *words.categories}, key=str.lower)]))


def _quality(run: str) -> bool:
    """Whether to learn drafts, in fewer steps."""
    names = ["Draft", "Fine"]
    chosen = st.segmented_control("Quality", names, required=True, key=f"breed.quality.{run}")
    return chosen == "Draft"


def _drafted(steps: int) -> int:
    """The steps of a draft, where a fine child has so many."""
    return max(1, round(DRAFT * steps))


def _kind(found: Opened, used: Mapping[str, float]) -> str:
    kinds = [found.by_id[id_].kind for id_ in used if id_ in found.by_id]
    return kinds[0] if kinds else found.run.about["kind"]
