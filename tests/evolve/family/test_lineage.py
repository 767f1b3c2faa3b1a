"""The family as a graph: by hand on a small one, by properties on random ones, and back from every format."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolve.family.lineage import (
    FORMATS,
    ancestors,
    descendants,
    lineage,
    members,
    pedigree,
    relatives,
    to_dot,
    to_gexf,
    to_graphml,
    to_json,
)
from evolve.store.parts import Damage, RunError
from evolve.store.run import Descent, Entry, Note
from tests.families import by_letter, concept, family, picture

GUEST = "0123456789abcdef"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return family(tmp_path_factory.mktemp("runs") / "pets")


def entry(id: str, generation: int, parents: dict[str, float] | None = None, **values) -> Entry:
    row = {
        "name": id,
        "category": "pet",
        "kind": "object",
        "parents": tuple(Descent(parent, "", weight, "mix") for parent, weight in (parents or {}).items()),
        "scores": {},
        "steps": 5,
        "created_at": datetime.now(UTC),
        "note": Note(),
        "part": Path("part"),
        "row": 1,
    } | values
    return Entry(id=id, born=row["name"], generation=generation, **row)


# By hand


def test_a_parent_that_a_child_moves_away_from_has_no_share_but_an_edge():
    graph = pedigree([entry("a", 0), entry("b", 0), entry("c", 0), entry("d", 1, {"a": 3, "b": -2, "c": 1})])
    assert graph.edges["a", "d"] == {"weight": 0.75, "kind": "mix"}
    assert graph.edges["b", "d"] == {"weight": 0.0, "kind": "away", "away": 0.5}
    assert ancestors(graph, "d") == {"a", "b", "c"}
    assert 'label="less 0.5"' in to_dot(graph) and "0.5" in to_graphml(graph)


def test_the_small_family_as_drawn(pets):
    graph = lineage(pets)
    letters = {each.id: letter for letter, each in by_letter(pets).items()} | {GUEST: "guest"}
    edges = {(letters[one], letters[other]): (data["weight"], data["kind"]) for one, other, data in graph.edges.data()}
    assert edges == {
        ("a", "e"): (0.75, "mix"),
        ("b", "e"): (0.25, "mix"),
        ("b", "f"): (0.5, "mix"),
        ("c", "f"): (0.5, "mix"),
        ("d", "g"): (1.0, "mutate"),
        ("e", "h"): (0.5, "mix"),
        ("f", "h"): (0.5, "mix"),
        ("e", "i"): (0.25, "image"),
        ("guest", "i"): (0.75, "image"),
    }
    births = {letters[id_]: birth for id_, birth in graph.nodes(data="birth")}
    assert births == dict.fromkeys("abcd", "founder") | dict.fromkeys("efh", "mix") | {
        "g": "mutate",
        "i": "image",
        "guest": "unknown",
    }
    generations = {letters[id_]: generation for id_, generation in graph.nodes(data="generation")}
    assert generations == dict(zip("abcdefghi", (0, 0, 0, 0, 1, 1, 1, 2, 2), strict=True)) | {"guest": 1}
    assert graph.nodes[by_letter(pets)["a"].id] == {
        "name": by_letter(pets)["a"].name,
        "generation": 0,
        "category": "pet",
        "birth": "founder",
        "run": "",
    }
    assert graph.graph == {"run": "pets", "category": "pet"}


def test_a_parent_of_another_run_is_a_node_that_says_so(pets):
    guest = lineage(pets).nodes[GUEST]
    assert (guest["run"], guest["name"], guest["birth"]) == ("others", "01234567", "unknown")


@pytest.mark.parametrize(
    ("of", "depth", "before", "after"),
    [
        ("h", None, "abcef", ""),
        ("h", 1, "ef", ""),
        ("b", None, "", "efhi"),
        ("b", 1, "", "ef"),
        ("b", 0, "", ""),
        ("eg", None, "abd", "hi"),
        ("ae", None, "ab", "ehi"),  # e descends from a, who is of the set itself
    ],
)
def test_ancestors_and_descendants_of_a_set(pets, of, depth, before, after):
    graph = lineage(pets)
    id_of = {letter: each.id for letter, each in by_letter(pets).items()}
    if of == "ae":
        before = "ab"
    start = [id_of[letter] for letter in of]
    assert ancestors(graph, start, depth) == {id_of[letter] for letter in before}
    assert descendants(graph, start, depth) == {id_of[letter] for letter in after}
    assert set(relatives(graph, start, depth)) == {id_of[letter] for letter in of + before + after}


def test_relatives_keep_the_shares_that_weights_have_in_the_whole_family(pets):
    graph = lineage(pets)
    e = by_letter(pets)["e"].id
    assert relatives(graph, [by_letter(pets)["a"].id]).edges[by_letter(pets)["a"].id, e]["weight"] == 0.75


def test_nobody_has_no_ancestors(pets):
    with pytest.raises(RunError, match="there is no concept 'nobody' in this family"):
        ancestors(lineage(pets), ["nobody"])
    with pytest.raises(RunError, match="there is no concept 'nobody' in this family"):
        descendants(lineage(pets), "nobody")


def test_concepts_are_given_by_id_or_name_one_or_several(pets):
    graph, letters = lineage(pets), by_letter(pets)
    for reach in (ancestors, descendants):
        for each in letters.values():
            assert reach(graph, each.id) == reach(graph, each.name) == reach(graph, [each.id])
        a, e = letters["a"], letters["e"]
        assert reach(graph, [a.name, e.id]) == reach(graph, a.id) | reach(graph, e.id)
    assert set(relatives(graph, letters["h"].name)) == set(relatives(graph, [letters["h"].id]))
    graph.nodes[letters["a"].id]["name"] = letters["b"].name
    with pytest.raises(RunError, match="several concepts have the name"):
        ancestors(graph, letters["b"].name)


def test_the_newest_name_is_the_nodes(tmp_path):
    run = family(tmp_path / "pets")
    run.note(run.individuals()[0].id, name="Whisker Fin")
    assert lineage(run).nodes[run.individuals()[0].id]["name"] == "Whisker Fin"


def test_a_photograph_is_a_parent_from_outside():
    photo = "photo-0123456789abcdef"
    graph = pedigree([replace(entry("a", 1), parents=(Descent(photo, "", 2.0, "image"),))])
    assert graph.nodes[photo] == {
        "name": "photo-01234567",
        "generation": 0,
        "category": "pet",
        "birth": "photo",
        "run": "",
    }
    assert graph.edges[photo, "a"] == {"weight": 1.0, "kind": "image"}


def test_a_photograph_of_which_a_copy_was_kept_is_called_as_its_file_was(tmp_path):
    run, photo = family(tmp_path / "pets"), "photo-0123456789abcdef"
    run.add([concept(20, {photo: 1.0}, birth="image")])
    run.add_photo(photo, picture(), "snail.jpg")
    node = lineage(run).nodes[photo]
    assert (node["name"], node["birth"], node["generation"]) == ("snail.jpg", "photo", 0)
    assert photo not in members(lineage(run)) and len(members(lineage(run))) == 10


def test_a_lost_parent_stands_above_its_oldest_child():
    graph = pedigree([entry("c", 3, {"lost": 1.0}), entry("d", 2, {"lost": 2.0}), entry("e", 5, {"lost": 1.0})])
    assert graph.nodes["lost"]["generation"] == 1 and graph.nodes["lost"]["birth"] == "unknown"


@pytest.mark.parametrize(
    "entries",
    [
        [entry("a", 1, {"a": 1.0})],
        [entry("a", 1, {"b": 1.0}), entry("b", 1, {"a": 1.0})],
        [entry("a", 0), entry("b", 0, {"a": 1.0})],
        [entry("a", 0, {"lost": 1.0})],
    ],
)
def test_who_is_no_younger_than_a_parent_is_damage(entries):
    with pytest.raises(RunError, match="row 1 of the part 'part' cannot be read: it is of generation"):
        pedigree(entries, strict=True)
    damage: list[Damage] = []
    graph = pedigree(entries, damage)
    assert damage and nx.is_directed_acyclic_graph(graph) and set(graph) == {each.id for each in entries}


# By properties

texts = st.text(max_size=12) | st.sampled_from(
    ["</node>", '"x\\', "a\nb", "\x1b[31m", "]]>", "&amp;", "猫 🐈", "\ud800"]
)
plain = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@st.composite
def families(draw, names=texts):
    """Entries in the order in which they could have been stored, some parents in other runs."""
    found: list[Entry] = []
    generations: dict[str, int] = {}
    for number in range(draw(st.integers(1, 12))):
        known = [each.id for each in found] + ["guest1", "guest2"]
        chosen = draw(st.lists(st.sampled_from(known), unique=True, max_size=4))
        weights = [draw(st.floats(1e-6, 1e6)) for _ in chosen]
        kind = draw(st.sampled_from(["mix", "mutate", "image"]))
        generation = 1 + max(generations.get(parent, 0) for parent in chosen) if chosen else 0
        parents = tuple(Descent(id_, "others", weight, kind) for id_, weight in zip(chosen, weights, strict=True))
        generations[str(number)] = generation
        each = entry(str(number), generation, name=draw(names), category=draw(names))
        found.append(replace(each, parents=parents))
    return found


@given(families())
def test_no_cycles_weights_are_shares_and_generations_follow(entries):
    graph = pedigree(entries)
    assert nx.is_directed_acyclic_graph(graph)
    assert {each.id for each in entries} <= set(graph)
    for each in entries:
        assert set(graph.predecessors(each.id)) == {parent.id for parent in each.parents}
        if each.parents:
            assert sum(graph.edges[edge]["weight"] for edge in graph.in_edges(each.id)) == pytest.approx(1)
            given_ = {parent.id: parent.weight for parent in each.parents}
            heaviest = max(given_, key=lambda id_: given_[id_])
            shares = {id_: graph.edges[id_, each.id]["weight"] for id_ in given_}
            assert shares[heaviest] == max(shares.values())
            youngest = max(graph.nodes[parent]["generation"] for parent in graph.predecessors(each.id))
            assert graph.nodes[each.id]["generation"] == 1 + youngest
        else:
            assert graph.nodes[each.id]["generation"] == 0 and graph.nodes[each.id]["birth"] == "founder"


@given(families(), st.data())
def test_ancestors_are_networkx_ancestors(entries, data):
    graph = pedigree(entries)
    some = data.draw(st.lists(st.sampled_from(sorted(graph)), min_size=1, unique=True))
    assert ancestors(graph, some) == set().union(*(nx.ancestors(graph, each) for each in some))
    assert descendants(graph, some) == set().union(*(nx.descendants(graph, each) for each in some))
    assert ancestors(graph, some, len(graph)) == ancestors(graph, some)
    part = relatives(graph, some)  # which knows no order
    assert ancestors(part, some) == ancestors(graph, some) and not part.order


# Formats


def from_dot(text: str) -> nx.DiGraph:
    """The graph of what `to_dot` writes: one statement in a line, every attribute a quoted text or a number."""
    quoted = r'"((?:[^"\\]|\\.)*)"'
    graph = nx.DiGraph()
    for line in text.split("\n")[3:-2]:
        found = re.fullmatch(rf"  {quoted}(?: -> {quoted})? \[(.*)\];", line)
        assert found, line
        one, other, rest = found.groups()
        data = {
            key: re.sub(r"\\(.)", r"\1", value) if raw.startswith('"') else json.loads(raw)
            for key, raw, value in re.findall(rf"(\w+)=({quoted}|[^,]+)", rest)
        }
        label = data.pop("label")
        if other is None:
            graph.add_node(re.sub(r"\\(.)", r"\1", one), name=label, **data)
        else:
            graph.add_edge(one, other, **data)
    return graph


def from_gexf(text: str) -> nx.DiGraph:
    graph = nx.read_gexf(io.BytesIO(text.encode()))
    for _, data in graph.nodes(data=True):
        assert data.pop("label") == data["name"]
    for *_, data in graph.edges(data=True):
        del data["id"]
    return graph


READERS = {
    "graphml": (to_graphml, lambda text: nx.read_graphml(io.BytesIO(text.encode()))),
    "gexf": (to_gexf, from_gexf),
    "json": (to_json, lambda text: nx.node_link_graph(json.loads(text), edges="edges")),
    "dot": (to_dot, from_dot),
}


def test_every_format_has_a_reader_here():
    assert READERS.keys() == FORMATS.keys()


@pytest.mark.parametrize("form", FORMATS)
@given(entries=families(plain))
def test_every_format_reads_back_the_same_graph(form, entries):
    write, read = READERS[form]
    graph = pedigree(entries)
    again = read(write(graph))
    assert dict(again.nodes(data=True)) == dict(graph.nodes(data=True))
    assert {edge[:2]: edge[2] for edge in again.edges(data=True)} == {e[:2]: e[2] for e in graph.edges(data=True)}


@pytest.mark.parametrize("form", ["graphml", "gexf", "dot"])
@given(entries=families())
def test_what_no_file_can_hold_is_replaced_and_the_rest_stays(form, entries):
    write, read = READERS[form]
    text = write(pedigree(entries))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    again = read(text)
    for each in entries:
        replaced = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", each.name)
        assert again.nodes[each.id]["name"] == replaced


@given(families())
def test_json_keeps_every_name_to_the_letter(entries):
    text = to_json(pedigree(entries))
    assert text.isascii()
    again = nx.node_link_graph(json.loads(text), edges="edges")
    assert dict(again.nodes(data="name")) == dict(pedigree(entries).nodes(data="name"))


def test_graphviz_would_read_the_dot_file(pets):
    pydot = pytest.importorskip("pydot")
    (parsed,) = pydot.graph_from_dot_data(to_dot(lineage(pets)))
    assert len(parsed.get_edges()) == 9
