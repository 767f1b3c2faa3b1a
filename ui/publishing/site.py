"""A family as a static site: one folder of pages that work without a server, and from which nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from core.errors import ConceptreeError
from core.wording import counted
from evolve.family.focus import MOST, focus
from evolve.store.origins import origin_of
from evolve.store.rows import Descent, Entry, Individual, portion, shares
from ui import tree
from ui.descent import born_of, extra_words, mixed
from ui.exporting import licence_of
from ui.labels import BIRTHS, NAMED_BY
from ui.publishing.family import Family, Shown, drawings_of, drawn, individuals, page_of, photographed
from ui.publishing.markup import Child, Element, el, page
from ui.sheet import CARD, FRAME, GREY, INK, PAPER

STYLE = Path(__file__).with_name("style.css")
LEAST_SCALE = 0.6  # to which a tree shrinks so that it fits into the window
_COLOURS = {PAPER: "paper", CARD: "card", INK: "ink", GREY: "grey", FRAME: "frame", tree.BAND: "band"}
_MADE = "Made with Conceptree. Every concept here was learned by a model: none of them exists."


def files(family: Family) -> Iterator[tuple[str, bytes]]:
    """(path from the site's folder, content) of every file; the same run gives the same bytes."""
    yield "style.css", STYLE.read_bytes()
    pictures: dict[str, list[Shown]] = {}
    written: set[str] = set()
    drawings = drawings_of(family)
    for entry in family.entries:
        pictures[entry.id] = []
        for drawing in drawings[entry.id]:
            yield from _kept(drawn(family, drawing, entry), pictures[entry.id], written)
    for photo in family.photos.values():
        yield from _kept(photographed(family, photo), pictures.setdefault(photo.id, []), written)
    children: dict[str, list[Entry]] = {}
    for entry in family.entries:
        for id_ in dict.fromkeys(parent.id for parent in entry.parents):
            children.setdefault(id_, []).append(entry)
    for number, (entry, individual) in enumerate(individuals(family)):
        beside = family.entries[max(0, number - 1)], family.entries[min(number + 1, len(family.entries) - 1)]
        body = _concept(family, entry, individual, pictures, children.get(entry.id, ()), beside)
        yield page_of(entry.id), page(f"{entry.name} · {family.run.folder.name}", "../", body)
    yield "index.html", page(family.run.folder.name, "", _index(family, pictures))


def _kept(
    made: Iterator[tuple[str, bytes] | Shown], shown: list[Shown], written: set[str]
) -> Iterator[tuple[str, bytes]]:
    """The files that were not written before; the picture goes into `shown`."""
    for each in made:
        if isinstance(each, Shown):
            shown.append(each)
        elif each[0] not in written:
            written.add(each[0])
            yield each


def _index(family: Family, pictures: Mapping[str, Sequence[Shown]]) -> list[Child]:
    about, entries = family.run.about, family.entries
    numbers = list(dict.fromkeys(each.generation for each in entries))
    category = f"style of {about['category']}" if about["kind"] == "style" else about["category"]
    told = f"{counted(len(entries), 'concept')} in {counted(len(numbers), 'generation')}. Category: {category}."
    gallery: list[Child] = []
    for number in numbers:
        of = [_card(each, pictures, "") for each in entries if each.generation == number]
        gallery += [el("h3", None, f"Generation {number}"), el("div", {"class": "cards"}, *of)]
    top = el("header", None, el("h1", {"dir": "auto"}, family.run.folder.name), el("p", {"dir": "auto"}, told))
    return [
        top,
        el(
            "main",
            None,
            el(
                "section",
                {"aria-labelledby": "tree"},
                el("h2", {"id": "tree"}, "Family tree"),
                *_tree(family, pictures),
            ),
            el("section", {"aria-labelledby": "gallery"}, el("h2", {"id": "gallery"}, "Gallery"), *gallery),
        ),
        _footer(family),
    ]


def _tree(family: Family, pictures: Mapping[str, Sequence[Shown]]) -> list[Child]:
    """The tree with a link on each concept; of a large family the part that the workbench would show."""
    favourites = {each.id for each in family.entries if each.note.favourite}
    shown = focus(family.graph, most=MOST, favourites=favourites).shown
    graph, by_id = family.graph.subgraph(shown), family.by_id
    web = tree.Web(
        pages={id_: page_of(id_) for id_ in shown if id_ in by_id},
        pictures={id_: each[0].small for id_, each in pictures.items() if each},
        labels={id_: f"{by_id[id_].name}, {BIRTHS[by_id[id_].birth]}" for id_ in shown if id_ in by_id},
        colours={colour: f"var(--{name})" for colour, name in _COLOURS.items()},
    )
    blank = Image.new("RGB", (1, 1))  # the page has addresses instead of pictures
    title = f"Family tree of {family.run.folder.name}"
    scene = tree.scene(title, graph, {id_: blank for id_ in web.pictures})
    drawn_tree = tree.svg_element(scene, web)
    drawn_tree.set("style", f"min-width: {round(LEAST_SCALE * scene.width)}px")
    # Scrolls by itself where it is still wider than the window, also by keyboard.
    around = el("div", {"class": "tree", "tabindex": "0", "role": "group", "aria-label": title}, drawn_tree)
    if len(shown) == len(family.graph):
        return [around]
    told = f"The tree shows {len(shown)} of {len(family.graph):,} concepts: favourites, the newest, and the latest"
    told += " generations. The page of each concept leads to its parents and children."
    return [el("p", None, told), around]


def _card(entry: Entry, pictures: Mapping[str, Sequence[Shown]], root: str, note: str = "") -> Element:
    """A link to a concept. note: line below its name."""
    name = f"{entry.name} ★" if entry.note.favourite else entry.name
    inside: list[Child] = [_picture(pictures.get(entry.id, ()), f"{entry.name}, {BIRTHS[entry.birth]}", root)]
    inside += [el("span", {"class": "name", "dir": "auto"}, name)]
    inside += [el("span", {"class": "note"}, note)] if note else []
    return el("a", {"class": "card", "href": f"{root}{page_of(entry.id)}"}, *inside)


def _picture(shown: Sequence[Shown], alt: str, root: str) -> Element:
    if not shown:
        return el("span", {"class": "undrawn"}, "not drawn")
    return el("img", {"src": f"{root}{shown[0].small}", "alt": alt, "loading": "lazy", "width": "128", "height": "128"})


def _concept(
    family: Family,
    entry: Entry,
    individual: Individual | None,
    pictures: Mapping[str, Sequence[Shown]],
    children: Sequence[Entry],
    beside: tuple[Entry, Entry],
) -> list[Child]:
    own = pictures[entry.id]
    before, after = beside
    links: list[Child] = [el("a", {"href": "../index.html", "dir": "auto"}, f"↑ {family.run.folder.name}")]
    links += (
        [el("a", {"href": f"../{page_of(before.id)}", "dir": "auto"}, f"← {before.name}")] if before != entry else []
    )
    links += [el("a", {"href": f"../{page_of(after.id)}", "dir": "auto"}, f"{after.name} →")] if after != entry else []
    main: list[Child] = [el("h1", {"dir": "auto"}, f"{entry.name} ★" if entry.note.favourite else entry.name)]
    main.append(el("p", {"dir": "auto"}, f"{_born(family, entry)}, generation {entry.generation}"))
    if entry.note.comment:
        main.append(el("blockquote", {"dir": "auto"}, entry.note.comment))
    if own:
        main.append(el("div", {"class": "drawings"}, *(_figure(each, entry) for each in own)))
    else:
        main.append(el("p", None, "This concept was not drawn."))
    if entry.parents:
        parents = [
            _parent(family, parent, portion(share, parent.kind, percent=True), pictures)
            for parent, share in zip(entry.parents, shares(entry.parents), strict=True)
        ]
        main += [el("h2", None, "Parents"), el("div", {"class": "cards"}, *parents)]
    if children:
        cards = [_card(each, pictures, "../", _share_in(each, entry.id)) for each in children]
        main += [el("h2", None, "Children"), el("div", {"class": "cards"}, *cards)]
    main += [el("h2", None, "How it was made"), _facts(family, entry, individual)]
    return [el("nav", None, *links), el("main", None, *main), _footer(family)]


def _born(family: Family, entry: Entry) -> str:
    """`founder, blue pet`, or `child of 70% moku + 30% vasi, but blue`."""
    named = [(family.names.get(p.id) or _stranger(family, p), p.weight, p.kind) for p in entry.parents]
    words = extra_words(entry.id, entry.category, entry.parents, family.words)
    if not named:
        return ", ".join([BIRTHS[entry.birth], *words])
    return born_of([parent.kind for parent in entry.parents], mixed(named, percent=True, but=words))


def _stranger(family: Family, parent: Descent) -> str:
    """Words for a parent without a page: `moku (not shown)` if it is hidden."""
    if parent.is_photo:
        return "a photograph"
    if name := family.unseen.get(parent.id):
        return f"{name} (not shown)"
    return "a concept of another run" if parent.run else "a concept that is not shown"


def _parent(family: Family, parent: Descent, part: str, pictures: Mapping[str, Sequence[Shown]]) -> Element:
    if entry := family.by_id.get(parent.id):
        return _card(entry, pictures, "../", part)
    name = family.names.get(parent.id) or _stranger(family, parent)
    inside: list[Child] = []
    if parent.id in family.photos:
        inside.append(_picture(pictures.get(parent.id, ()), name, "../"))
    inside += [el("span", {"class": "name", "dir": "auto"}, name), el("span", {"class": "note"}, part)]
    return el("div", {"class": "card"}, *inside)


def _share_in(child: Entry, id_: str) -> str:
    """The parts of a parent in its child."""
    pairs = zip(child.parents, shares(child.parents), strict=True)
    return ", ".join(portion(share, parent.kind, percent=True) for parent, share in pairs if parent.id == id_)


def _figure(shown: Shown, entry: Entry) -> Element:
    assert shown.drawing is not None
    prompt = shown.drawing.prompt.replace("{}", entry.name)
    how = f"seed {shown.drawing.seed}{f', {shown.drawing.rendered.brief}' if shown.drawing.rendered else ''}"
    image = el("img", {"src": f"../{shown.address}", "alt": prompt, "loading": "lazy"})
    return el(
        "figure",
        None,
        el("a", {"href": f"../{shown.address}"}, image),
        el("figcaption", {"dir": "auto"}, f"{prompt}, ", el("span", {"class": "note"}, how)),
    )


def _facts(family: Family, entry: Entry, individual: Individual | None) -> Element:
    """Words, negatives, seed, provenance and licence as a list of terms."""
    told: dict[str, str] = {"Category": entry.category, "Born as": entry.born if entry.born != entry.name else ""}
    if individual is None:
        told["Words"] = "the rest of this concept's data cannot be read"
    else:
        concept, request = individual.concept, individual.concept.request
        words = [
            f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives
        ]
        negatives = [
            f"{n.word} (step {n.step}, {NAMED_BY.get(n.by, n.by)})" if n.step else n.word for n in concept.negatives
        ]
        told |= {
            "Words": ", ".join(words),
            "Negatives": ", ".join(negatives),
            "Seed": str(request.seed),
            "Start": request.initializer or "",
            "Learned": f"{entry.created_at:%Y-%m-%d}, step {concept.kept_step} of {concept.steps} kept"
            if concept.steps
            else "",
            "Settings": f"preset {request.chosen.preset}",
            "Stack": f"{concept.version} ({concept.fingerprint})",
            "Licence": _licence(family, individual),
        }
    told |= {"Rating": f"{entry.note.rating} of 5" if entry.note.rating else "", "Id": entry.id}
    pairs = ((el("dt", None, term), el("dd", {"dir": "auto"}, text)) for term, text in told.items() if text)
    return el("dl", None, *(each for pair in pairs for each in pair))


def _licence(family: Family, individual: Individual) -> str:
    try:
        return licence_of(family.run, individual, origin_of(family.run, individual.id))
    except ConceptreeError as error:  # not ours to claim
        return f"Unknown: its record cannot be read ({' '.join(str(error).split())})."


def _footer(family: Family) -> Element:
    stack = family.run.about["stack"]
    return el("footer", None, el("p", None, f"{_MADE} Stack: {stack['version']} ({stack['fingerprint']})."))
