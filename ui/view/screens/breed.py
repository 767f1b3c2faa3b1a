"""Breeding, beside the tree: a mixture of several parents, variations of one; and what comes of it while it does."""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.backbone import Backbone
from core.concept import Array
from core.errors import ConceptreeError
from core.files import StorageError
from evolve import Individual, Run
from evolve.jobs import Job, new_job
from evolve.photos import PhotoError, Photograph, photo_parent, read_photo
from ui.breed import SPREAD, plan_children, plan_variations
from ui.stack import can_draw, check_words, chosen_settings
from ui.view import learning, links, model, preview, processes, store
from ui.view.store import Opened
from ui.view.text import plain

EVERY = 1.5  # seconds between two looks at what is being learned
BUSY = ("working", "starting")
MOST_CHILDREN, MOST_PHOTOS = 8, 4
DRAFT = 0.4  # of the steps of a finished child
LONGEST = 60  # characters of a photograph's name, of at most four bytes each
PICTURES = ["png", "jpg", "jpeg", "webp"]
# Offered first, as far as the stack knows them.
LOOKS = (
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "golden"),
    *("round", "striped", "spotted", "fluffy", "small", "happy", "angry"),
)
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # in the name of a file


@dataclass(frozen=True)
class Upload:
    """A photograph that somebody dropped here: as it was read, and the file's content."""

    photo: Photograph
    content: bytes


def parents_of(run: str) -> dict[str, float]:
    """The parents that were chosen for breeding in a run, by id, with their weights; pages add to it."""
    return st.session_state.setdefault("parents", {}).setdefault(run, {})


def photos_of(run: str) -> dict[str, Upload]:
    """The photographs that were dropped as parents, by id."""
    return st.session_state.setdefault("breed.photos", {}).setdefault(run, {})


def choose(run: str, id_: str) -> None:
    """Make a concept a parent beside those that are chosen already, of as much weight as they are."""
    parents = parents_of(run)
    parents[id_] = (sum(parents.values()) / len(parents) if parents else 0.0) or 1.0


def follow(run: str, selected: Sequence[str]) -> None:
    """Several that are selected are the parents; those that were chosen otherwise stay beside them."""
    parents, came = parents_of(run), st.session_state.setdefault("breed.selected", {})
    before, now = came.get(run, ()), tuple(selected) if len(selected) > 1 else ()
    if now == before:
        return
    for id_ in before:
        if id_ not in now:
            parents.pop(id_, None)
    for id_ in now:
        if id_ not in parents:
            choose(run, id_)
    came[run] = now


def whole(weights: Mapping[str, float], total: int = 100) -> dict[str, int]:
    """Weights as whole shares that sum to `total`; what rounding leaves over goes to those who lost most by it."""
    if not weights:
        return {}
    heavy = sum(weights.values())
    exact = {key: total * (weight / heavy if heavy > 0 else 1 / len(weights)) for key, weight in weights.items()}
    shares = {key: int(share) for key, share in exact.items()}
    lost = sorted(exact, key=lambda key: shares[key] - exact[key])
    for key in lost[: total - sum(shares.values())]:
        shares[key] += 1
    return shares


def moved(shares: Mapping[str, int], one: str, share: int, total: int = 100) -> dict[str, int]:
    """The shares after somebody gave `one` another: the others keep their proportions and fill up what is left."""
    others = whole({key: each for key, each in shares.items() if key != one}, total - share)
    return {key: share if key == one else others[key] for key in shares} if others else {one: total}


@st.fragment
def mixture(found: Opened) -> None:
    """The parents, what they look like mixed, and what to make of them."""
    run, backbone = found.run.folder.name, _stack(found)
    if backbone is None:
        return
    weights = _weights(run, found)
    with st.container(horizontal=True, vertical_alignment="center", key="breed.title"):
        st.markdown("**Breed**", width="stretch")
        with st.popover("Photograph", icon=":material/add_a_photo:", type="tertiary", key="breed.photograph"):
            _dropped(run)
    shares = _sliders(found, run, weights)
    used = {id_: share / 100 for id_, share in shares.items() if share}
    if can_draw(backbone) and len(used) > 1:
        _preview(found, backbone, used)
    elif len(used) == 1:
        st.caption("Choose one more parent: select several in the tree, or add a photograph.")
    word = _word(backbone, run, "breed.word", "Like these, but …")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        children = int(st.number_input("Children", 1, MOST_CHILDREN, 4, key=f"breed.children.{run}", width=110))
        draft = _quality(run)
    if st.button("Breed", type="primary", icon=":material/diversity_3:", key="breed.start", width="stretch"):
        photos, kind = photos_of(run), _kind(found, used)
        spread = st.session_state.get(f"breed.spread.{run}", SPREAD)

        def plan() -> dict[str, Any]:
            with tempfile.TemporaryDirectory() as folder:
                return plan_children(
                    found.run,
                    backbone,
                    parents=[(id_, share) for id_, share in used.items() if id_ not in photos],
                    photos=[(_file(folder, photos[id_]), share) for id_, share in used.items() if id_ in photos],
                    words=[word] if word else [],
                    children=children,
                    spread=spread,
                    seed=_seed(),
                    steps=_steps(backbone, kind) if draft else None,
                    drafts=can_draw(backbone),
                )

        _start(found, "breed", plan)
    if children > 1 and len(used) > 1:
        st.slider(
            "How different from each other",
            0.0,
            1.0,
            SPREAD,
            0.05,
            key=f"breed.spread.{run}",
            help="How far the shares of the second child, and of all that follow, may be from those above.",
        )


@st.fragment
def variations(found: Opened, parent: str) -> None:
    """One parent alone: children that are like it and not it."""
    run, backbone = found.run.folder.name, _stack(found)
    if backbone is None:
        return
    strength = st.slider(
        "How different", 0.1, 1.0, 0.5, 0.1, key=f"breed.strength.{run}", help="How far learning goes away from it."
    )
    word = _word(backbone, run, "breed.like", "Like this, but …")
    children = int(st.number_input("Variations", 1, MOST_CHILDREN, 2, key=f"breed.variations.{run}", width=110))
    if st.button("Make variations", icon=":material/shuffle:", key="breed.vary", width="stretch"):

        def plan() -> dict[str, Any]:
            return plan_variations(
                found.run,
                backbone,
                parent,
                children=children,
                strength=strength,
                words=[word] if word else [],
                seed=_seed(),
                drafts=can_draw(backbone),
            )

        _start(found, "vary", plan)


def work(found: Opened) -> None:
    """What is being learned in the run: how far it is, what it looks like, and how to stop it."""
    busy = any(status.state in BUSY for _, status in _current(found.run))
    st.fragment(_work, run_every=EVERY if busy else None)(found.run, len(found.entries))


def _work(run: Run, known: int) -> None:
    """known: how many concepts the page shows; once there are more, or a job came to an end, it is made anew."""
    name, current = run.folder.name, _current(run)
    states = {job.name: status.state for job, status in current}
    before = st.session_state.get(f"breed.states.{name}", states)
    st.session_state[f"breed.states.{name}"] = states
    if states != before or (current and len(run.entries([])) != known):
        st.rerun()
    for job, status in current:
        _job(run, job, status)


def _current(run: Run) -> list[tuple[Job, Any]]:
    """Jobs at work, and those begun in this session that came to a bad end."""
    mine = st.session_state.get("breed.started", {}).get(run.folder.name, [])
    return [
        (job, status)
        for job, status in store.jobs_of(run)
        if status.state in BUSY or (job.name in mine and status.state != "finished")
    ]


def drafts(run: Run) -> dict[str, str]:
    """What finished children of jobs at work looked like last, until they are drawn: addresses by concept id."""
    return {
        look.concept: links.look(run.folder.name, job.name, look.image.stem, 128)
        for job, status in _current(run)
        for look in job.looks()
        if look.concept and look.image and status.state in BUSY
    }


def _job(run: Run, job: Job, status: Any) -> None:
    name = run.folder.name
    with st.container(border=True, key=f"breed.job.{job.name}"):
        busy = status.state in BUSY
        st.progress(learning.percent(status), text=plain(learning.told(job, status)))
        looks = {look.number: look for look in job.looks() if look.image}
        if looks:
            st.image(
                [links.look(name, job.name, look.image.stem, 96) for look in looks.values()],
                caption=[plain(look.name) or "draft" for look in looks.values()],
                width=62,
                alt=[look.name or "a child, as it looks so far" for look in looks.values()],
            )
        if status.problem:
            st.error(plain(status.problem), icon=":material/error:")
        with st.container(horizontal=True):
            if busy:
                if st.button(
                    "Stop", icon=":material/stop:", key=f"breed.stop.{job.name}", help="What is finished is kept."
                ):
                    job.request_stop()
            else:
                if st.button("Go on", icon=":material/play_arrow:", key=f"breed.on.{job.name}"):
                    processes.start(run, job)
                    st.rerun()
                if st.button("Dismiss", type="tertiary", key=f"breed.dismiss.{job.name}"):
                    st.session_state["breed.started"][name].remove(job.name)
                    st.rerun()
            links.to("jobs", "Details", run=name, job=job.name)


def _stack(found: Opened) -> Backbone | None:
    """The stack of the run; without it nobody can breed here, and the page says why."""
    try:
        return model.backbone(found.run)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _start(found: Opened, command: str, plan: Callable[[], dict[str, Any]]) -> None:
    """Write down what is asked and let a process of its own learn it; what is wrong is said here and at once."""
    try:
        job = new_job(found.run, command, plan())
        processes.start(found.run, job)
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state.setdefault("breed.started", {}).setdefault(found.run.folder.name, []).append(job.name)
    st.rerun()


def _weights(run: str, found: Opened) -> dict[str, float]:
    """Of all parents, concepts first; those who are gone from the run are forgotten."""
    parents, by_id = parents_of(run), found.by_id
    for id_ in [each for each in parents if each not in by_id]:
        del parents[id_]
    weights = st.session_state.setdefault("breed.weights", {}).setdefault(run, {})
    fair = (sum(parents.values()) / len(parents) if parents else 0.0) or 1.0
    return {**parents, **{id_: weights.setdefault(id_, fair) for id_ in photos_of(run)}}


def _sliders(found: Opened, run: str, weights: Mapping[str, float]) -> dict[str, int]:
    """A slider for each parent; moving one moves the others, so that they always sum to one whole."""
    shares, photos = whole(weights), photos_of(run)
    for id_, share in shares.items():
        name = photos[id_].photo.label if id_ in photos else found.by_id[id_].name
        picture, middle, end = st.columns([1, 3.4, 0.7], vertical_alignment="center", gap="small")
        with picture:
            if id_ in photos:
                st.image(photos[id_].photo.picture, width=46, alt=f"the photograph {name}")
            elif found.drawings.get(id_):
                st.image(links.picture(run, found.drawings[id_][0], 96), width=46, alt=name)
        with middle:
            if len(shares) == 1:
                st.markdown(plain(name))
            else:
                key = f"breed.share.{run}.{id_}"
                st.session_state[key] = share
                st.slider(plain(name), 0, 100, key=key, format="%d %%", on_change=_moved, args=(run, id_, dict(shares)))
        with end:
            said = f"{plain(name)} shall be no parent"
            if st.button(said, icon=":material/close:", type="tertiary", key=f"tree.icon.without.{id_}", help=said):
                _drop(run, id_)
                st.rerun()
    return shares


def _moved(run: str, one: str, shares: dict[str, int]) -> None:
    _keep(run, moved(shares, one, st.session_state[f"breed.share.{run}.{one}"]))


def _keep(run: str, shares: Mapping[str, int]) -> None:
    parents, weights = parents_of(run), st.session_state["breed.weights"][run]
    for id_, share in shares.items():
        (parents if id_ in parents else weights)[id_] = share / 100


def _drop(run: str, id_: str) -> None:
    from ui.view.screens.tree import state_of

    parents_of(run).pop(id_, None)
    if photos_of(run).pop(id_, None):
        st.session_state[f"breed.dropzone.{run}"] = st.session_state.get(f"breed.dropzone.{run}", 0) + 1
    state = state_of(run)
    if id_ in state.selected:
        state.select([each for each in state.selected if each != id_], centre=False)


def _dropped(run: str) -> None:
    """Where photographs are dropped. What cannot be read is said, and is no parent."""
    photos = photos_of(run)
    zone = st.session_state.get(f"breed.dropzone.{run}", 0)
    files = st.file_uploader(
        "A photograph as one more parent", PICTURES, accept_multiple_files=True, key=f"breed.upload.{run}.{zone}"
    )
    read: dict[str, str] = st.session_state.setdefault("breed.read", {})
    for upload in files or []:
        if upload.file_id in read:
            if read[upload.file_id]:
                st.error(plain(read[upload.file_id]), icon=":material/broken_image:")
            continue
        read[upload.file_id] = ""
        try:
            kept = uploaded(upload.name, upload.getvalue())
            if len(photos) >= MOST_PHOTOS:
                raise PhotoError(f"{kept.photo.label!r} is one too many: at most {MOST_PHOTOS} photographs are parents")
        except ConceptreeError as error:
            read[upload.file_id] = str(error)
            st.error(plain(str(error)), icon=":material/broken_image:")
            continue
        photos[kept.photo.id] = kept
        st.rerun(scope="fragment")


def uploaded(name: str, content: bytes) -> Upload:
    """A photograph as somebody's browser sent it.

    Raises:
        PhotoError: it is none, or nothing can be seen in it.
    """
    called = _UNSAFE.sub("_", Path(name).name)[-LONGEST:].lstrip(".") or "photo"
    with tempfile.TemporaryDirectory() as folder:
        file = _written(Path(folder) / called, content)
        try:
            return Upload(read_photo(file), content)
        except PhotoError as error:  # where it lay for a moment is no business of anybody
            raise PhotoError(str(error).replace(str(file), called)) from None


def _file(folder: str, upload: Upload) -> Path:
    """An upload as a file, which is called as it was."""
    return _written(Path(folder) / upload.photo.id / upload.photo.label, upload.content)


def _written(file: Path, content: bytes) -> Path:
    try:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise StorageError(f"the photograph {file.name!r} cannot be kept: {error.strerror or error}") from None
    return file


def _preview(found: Opened, backbone: Backbone, shares: Mapping[str, float]) -> None:
    photos = photos_of(found.run.folder.name)
    try:
        embeds = {
            id_: _seen(photos[id_].photo, backbone) if id_ in photos else individual(found, id_).concept.image_embed
            for id_ in shares
        }
        drawn = preview.remembered(backbone, embeds, list(shares.items()))
    except ConceptreeError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    picture, text = st.columns([1, 1.3], vertical_alignment="center")
    picture.image(drawn.resize((256, 256)), width="stretch", alt="a preview of the mixture")
    text.caption("Preview: a mixture of what the parents look like, nothing has been learned.")


def _seen(photo: Photograph, backbone: Backbone) -> Array:
    return _encoded(photo.id, backbone.drawing_fingerprint, photo, backbone)


@st.cache_resource(max_entries=64, show_spinner=False)
def _encoded(id_: str, stack: str, _photo: Photograph, _backbone: Backbone) -> Array:
    return photo_parent(_photo, 1.0, _backbone).image_embeds


def individual(found: Opened, id_: str) -> Individual:
    """A concept as it was learned: its image embedding, its negatives."""
    return _learned(str(found.run.folder), id_, found)


@st.cache_resource(max_entries=512, show_spinner=False)
def _learned(folder: str, id_: str, _found: Opened) -> Individual:
    return _found.run.find(id_)


def _word(backbone: Backbone, run: str, key: str, label: str) -> str:
    """A word, with those that the stack knows offered; what it does not know is said, with what is near."""
    word = st.selectbox(
        label,
        _vocabulary(backbone.fingerprint, backbone),
        index=None,
        key=f"{key}.{run}",
        placeholder="a word, such as blue",
        accept_new_options=True,
        help="One more thing that they shall resemble.",
    )
    if word:
        try:
            check_words(backbone, [word], "word")
        except ConceptreeError as error:
            st.caption(f":red[{plain(str(error))}]")
    return word or ""


@st.cache_data(show_spinner=False)
def _vocabulary(stack: str, _backbone: Backbone) -> list[str]:
    words = _backbone.vocabulary
    looks = filter(_backbone.knows, LOOKS)
    return list(
        dict.fromkeys([*looks, *sorted({*words.get("words", ()), *words.get("categories", {})}, key=str.lower)])
    )


def _quality(run: str) -> bool:
    """Whether drafts will do."""
    names = ["Draft", "Fine"]
    chosen = st.segmented_control("Quality", names, default="Fine", required=True, key=f"breed.quality.{run}")
    return chosen == "Draft"


def _steps(backbone: Backbone, kind: str) -> int:
    return max(1, round(DRAFT * chosen_settings(backbone, "default", kind, mixing=True).steps))


def _seed() -> int:
    """Another one each time: who asks twice wants other children."""
    return secrets.randbelow(10**6)


def _kind(found: Opened, used: Mapping[str, float]) -> str:
    kinds = [found.by_id[id_].kind for id_ in used if id_ in found.by_id]
    return kinds[0] if kinds else found.run.about["kind"]
