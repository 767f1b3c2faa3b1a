"""list, show, name, tree, lineage, check and models: output for people and programs, for whole and damaged runs."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import ui.models
from core.errors import ConceptreeError
from evolve.fitness import of_run
from evolve.jobs.stored import write_job
from evolve.store.parts import Room
from evolve.store.run import CONCEPTS, DRAWINGS, NOTES, Run
from tests.families import STACK, by_letter, concept, family, new_run
from ui.cli import main
from ui.console import to_type
from ui.models import described
from ui.runs import forget_if_empty, open_run
from ui.runs import new_run as run_named

HOSTILE = '</node>\x1b[31m[red]&"../x'


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Run:
    return family(tmp_path_factory.mktemp("runs") / "pets")


@pytest.fixture
def pets(stored, tmp_path) -> Run:
    shutil.copytree(stored.folder, tmp_path / "pets")
    return Run.open(tmp_path / "pets")


def test_twins_are_one_run(tmp_path):
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    made = run_named(tmp_path, nfd, "", new_run)
    assert made.folder.name == nfc
    assert open_run(tmp_path, nfd).folder == open_run(tmp_path, "\uff43\uff41\uff46\u00e9").folder == made.folder
    made.folder.rename(tmp_path / nfd)  # as an earlier version, or another system, names it
    assert open_run(tmp_path, nfd).folder.name == open_run(tmp_path, nfc).folder.name == nfd


def test_a_link_to_nothing_is_one_line(tmp_path):
    (tmp_path / "pets").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConceptreeError, match=r"is a link to .*, which is not there: remove the link"):
        open_run(tmp_path, "pets")
    for name, runs in (("pets", tmp_path), (None, tmp_path / "pets")):
        with pytest.raises(ConceptreeError, match="is a link to"):
            run_named(runs, name, "pets", new_run)


def run(pets: Run | Path, *arguments: object) -> Result:
    runs = pets if isinstance(pets, Path) else pets.folder.parent
    return CliRunner().invoke(main, [*map(str, arguments), "--runs", str(runs)])


def good(pets: Run | Path, *arguments: object) -> str:
    result = run(pets, *arguments)
    assert result.exit_code == 0 and not result.stderr, result.output
    return result.stdout


def one_line(pets: Run | Path, *arguments: object) -> str:
    """The message of a user error: exit code 2, one line, no traceback."""
    result = run(pets, *arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


def torn(pets: Run) -> Path:
    """Tear the part of e and f."""
    part = pets.rooms["concepts"].parts()[2]
    part.write_bytes(b"")
    return part


def hostile(pets: Run) -> str:
    """A concept called by what no file, terminal or page should obey, as a stranger may have stored it; its id."""
    a = by_letter(pets)["a"].id
    row = {"concept": a, "favourite": False, "comment": HOSTILE, "hidden": False, "locked": False, "name": HOSTILE}
    Room(pets.folder / "notes", NOTES).append([row])
    return a


# list


def test_list_names_the_runs(pets):
    new_run(pets.folder.parent / "plants")
    shown = " ".join(good(pets, "list").split())
    assert "pets pet 9 3 tiny-1" in shown and "plants pet 0 0 tiny-1" in shown
    one, other = json.loads(good(pets, "list", "--json"))
    assert (one["run"], one["concepts"], one["generations"]) == ("pets", 9, 3) and other["concepts"] == 0
    assert one["stack"] == {"where": "emoji", "version": "tiny-1", "fingerprint": "f"}
    pets.note(by_letter(pets)["a"].id, hidden=True)
    assert "pets pet 8, 1 hidden 3 tiny-1" in " ".join(good(pets, "list").split())
    (one, _) = json.loads(good(pets, "list", "--json"))
    assert (one["concepts"], one["hidden"]) == (9, 1)


def test_list_without_runs_says_how_to_make_one(tmp_path):
    assert "conceptree seed makes one" in good(tmp_path / "nothing", "list")
    assert json.loads(good(tmp_path / "nothing", "list", "--json")) == []


def test_list_goes_on_with_runs_that_are_whole(pets):
    for name, content in (("broken", "{"), ("newer", '{"schema": 99}'), ("lacking", '{"schema": 1}')):
        (pets.folder.parent / name).mkdir()
        (pets.folder.parent / name / "run.json").write_text(content)
    torn(pets)
    result = run(pets, "list", "--json")
    assert result.exit_code == 0
    assert [(each["run"], each["concepts"]) for each in json.loads(result.stdout)] == [("pets", 7)]
    lines = result.stderr.splitlines()
    assert len(lines) == 4 and all(line.startswith("conceptree: ") for line in lines)
    for said in ("it is not JSON", "lacks the key 'category'", "has schema 99", "1 part or row of the run 'pets'"):
        assert any(said in line for line in lines)


def test_list_names_a_runs_concepts_their_parents_and_what_is_noted(pets):
    letters = by_letter(pets)
    pets.note(letters["e"].id, rating=4, favourite=True)
    shown = " ".join(good(pets, "list", "pets").split())
    e, novel = letters["e"], f"{of_run(pets)[letters['e'].id]['novel']:.2f}"
    (line,) = [line for line in good(pets, "list", "pets").splitlines() if line.split()[:1] == [e.name]]
    told = f"{e.name} 1 mix of 0.75 {letters['a'].name} + 0.25 {letters['b'].name} 0.25 – {novel} – favourite, 4 of 5"
    assert set(line.split()) <= set(told.split()) and f"0.25 – {novel} –" in " ".join(line.split())
    assert f"{letters['i'].name} 2 image of 0.25 {letters['e'].name} +" in shown and "0.75 01234567" in shown
    values = json.loads(good(pets, "list", "pets", "--json"))
    assert [each["name"] for each in values] == [each.name for each in letters.values()]
    assert values[4]["parents"][0] == {
        "id": letters["a"].id,
        "name": letters["a"].name,
        "run": "",
        "weight": 3.0,
        "kind": "mix",
    }
    assert values[4]["note"]["rating"] == 4 and values[4]["birth"] == "mix" and values[4]["scores"]["belongs"] == 0.25
    assert values[4]["fitness"] == {**of_run(pets)[e.id], "belongs": 0.25, "differs": None, "consistent": None}


def test_list_leaves_out_who_is_hidden_and_says_so(pets):
    a = by_letter(pets)["a"]
    pets.note(a.id, hidden=True)
    shown = good(pets, "list", "pets")
    assert f"\n {a.name} " not in shown and "1 more is hidden: --all shows it" in shown
    assert f"\n {a.name} " in good(pets, "list", "pets", "--all")
    assert len(json.loads(good(pets, "list", "pets", "--json"))) == 8


# show


def test_show_tells_all_of_a_concept(pets):
    letters = by_letter(pets)
    e = letters["e"]
    pets.note(e.id, rating=4, comment="like a [red]lizard[/red]")
    shown = " ".join(good(pets, "show", "pets", e.name).split())
    for said in (
        f"{e.name}, {e.id}",
        f"born mix of 0.75 {letters['a'].name} + 0.25 {letters['b'].name}, generation 1",
        f"children {letters['h'].name}, {letters['i'].name}",
        'noted 4 of 5, "like a [red]lizard[/red]"',
        "category pet (object)",
        "positives pet × 2",
        "negatives cat (step 0, request), dog (step 5, vqa)",
        "scores score 0.50, belongs 0.25",
        "learned step 5 of 5 kept, 2 s, seed 4",
        "stack tiny-1 (f), 2 × 4 numbers",
        f"a photo of a {e.name}, seed 1",
    ):
        assert said in shown
    values = json.loads(good(pets, "show", "pets", e.id, "--json"))
    assert values["children"] == [letters["h"].name, letters["i"].name] and values["kept_step"] == 5
    assert values["negatives"][1] == {"word": "dog", "step": 5, "by": "vqa", "note": "'boeing' does not push"}
    assert Path(values["drawings"][0]["file"]).is_file() and values["settings"]["steps"] == 5
    assert values["vectors_shape"] == [2, 4]


def test_show_goes_on_with_what_is_whole(pets):
    letters = by_letter(pets)
    torn(pets)
    result = run(pets, "show", "pets", letters["h"].name)
    assert result.exit_code == 0
    unread, missing = result.stderr.splitlines()
    assert f"cannot be read; {to_type('check', 'pets', runs=pets.folder.parent)} lists what is lost" in unread
    assert f"2 ancestors are missing: {letters['e'].id[:8]}, {letters['f'].id[:8]}" in missing
    assert f"mix of 0.5 {letters['e'].id[:8]}" in result.stdout
    assert "it may be in a damaged part" in one_line(pets, "show", "pets", letters["e"].name)


def test_numbers_that_are_none_are_null_in_json(pets):
    part = pets.rooms["concepts"].parts()[0]
    rows = pq.read_table(part).to_pylist()
    rows[0]["scores"] = [{"name": "belongs", "value": float("nan")}]
    part.unlink()
    Room(part.parent, CONCEPTS).append(rows)
    assert json.loads(good(pets, "show", "pets", rows[0]["id"], "--json"))["scores"] == {"belongs": None}


# name


def test_a_concept_is_called_by_its_newest_name_everywhere(pets):
    a = by_letter(pets)["a"]
    assert f"{a.name} is called Whisker Fin now" in good(pets, "note", "pets", a.name, "--name", "Whisker Fin")
    assert f"Whisker Fin (born as {a.name}), {a.id}" in good(pets, "show", "pets", a.name)
    assert "0.75 Whisker Fin" in good(pets, "list", "pets")
    assert "Whisker Fin" in good(pets, "tree", "pets", "--format", "graphml")
    good(pets, "tree", "pets")
    assert ">Whisker Fin<" in (pets.folder / "tree.svg").read_text(encoding="utf-8")
    assert "the name 'Whisker Fin' is taken" in one_line(
        pets, "note", "pets", pets.individuals()[1].name, "--name", "Whisker Fin"
    )


@pytest.mark.parametrize("new", ["", " x", ".x", "a/b", "a:0.5", "x\x1b[31m", "{}", "x" * 81])
def test_what_is_no_name_is_one_line(pets, new):
    assert "is not a valid name of a concept" in one_line(
        pets, "note", "pets", pets.individuals()[0].name, "--name", new
    )


# tags


def test_tags_are_given_shown_and_removed(pets):
    a, b = (by_letter(pets)[letter].name for letter in "ab")
    shown = good(pets, "note", "pets", a, b, "--tag", "forest", "--tag", "#Night", "--rating", "4")
    assert shown.splitlines() == [f"{each}: rated 4, tagged forest, Night" for each in (a, b)]
    assert good(pets, "note", "pets", a, "--untag", "night").strip() == f"{a}: rated 4, tagged forest"
    assert "noted 4 of 5, tagged forest" in " ".join(good(pets, "show", "pets", a).split())
    assert json.loads(good(pets, "show", "pets", b, "--json"))["note"]["tags"] == ["forest", "Night"]
    assert "did you mean forest?" in one_line(pets, "note", "pets", a, "--untag", "forrest")
    assert "the tags are forest" in one_line(pets, "note", "pets", a, "--untag", "night")
    assert "has a control character" in one_line(pets, "note", "pets", a, "--tag", "a\x1b[31m")
    assert "give 1 to 40 characters" in one_line(pets, "note", "pets", a, "--tag", "x" * 41)


# search


def test_a_search_lists_what_matches_and_where(pets):
    letters = by_letter(pets)
    a, b, c = (letters[letter] for letter in "abc")
    pets.note(a.id, tag=["Catalogue"])
    pets.note(b.id, comment="like a [b]cat[/b]", hidden=True)
    pets.note(c.id, name="Catkin")
    found = {
        each["name"]: each["found"] for each in json.loads(good(pets, "list", "pets", "--search", "CAT", "--json"))
    }
    assert found[a.name] == ["not cat", "tag Catalogue"] and found["Catkin"] == ["not cat"]
    shown = " ".join(good(pets, "list", "pets", "--search", "catalogue", "--all").split())
    assert "found" in shown and "tag Catalogue" in shown and b.name not in shown
    assert "1 more is hidden" in good(pets, "list", "pets", "--search", "comment:cat")
    (hidden,) = json.loads(good(pets, "list", "pets", "--search", "comment:cat", "--all", "--json"))
    assert hidden["name"] == b.name and hidden["found"] == ["comment “like a [b]cat[/b]”"]
    (named,) = json.loads(good(pets, "list", "pets", "--search", "name:catkin", "--json"))
    assert named["name"] == "Catkin" and named["found"] == []
    assert "Nothing in pets matches 'not:zebra'" in good(pets, "list", "pets", "--search", "not:zebra")
    assert len(json.loads(good(pets, "list", "pets", "--search", "  ", "--json"))) == 8
    assert "found" not in json.loads(good(pets, "list", "pets", "--json"))[0]
    result = run(pets, "list", "--search", "cat")
    assert result.exit_code == 2 and "--search is for the concepts of a run" in result.stderr


# tree


def test_tree_draws_the_family_as_png_and_svg(pets):
    shown = good(pets, "tree", "pets").split()
    assert shown == [str(pets.folder / "tree.png"), str(pets.folder / "tree.svg")]
    with Image.open(pets.folder / "tree.png") as picture:
        assert picture.width > 700 and picture.height > 600
    root = ElementTree.parse(pets.folder / "tree.svg").getroot()
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "pet · run pets · tiny-1" in texts and "01234567" in texts and "others" in texts
    assert {each.name for each in pets.individuals()} <= set(texts)
    assert len(root.findall("{http://www.w3.org/2000/svg}image")) == 8 and "not drawn" in texts


def test_tree_of_some_goes_as_far_as_it_is_told(pets, tmp_path):
    letters = by_letter(pets)

    def names(*options: object) -> set[str]:
        to = tmp_path / "some.svg"
        there = to.exists()
        assert good(pets, "tree", "pets", "--to", to, *options).strip() == f"{to}{' (replaced)' if there else ''}"
        texts = {each.text for each in ElementTree.parse(to).getroot().iter("{http://www.w3.org/2000/svg}text")}
        return {letter for letter, each in letters.items() if each.name in texts}

    assert names(letters["h"].name) == set("abcefh")
    assert names(letters["h"].name, "--depth", 1) == set("efh")
    assert names(letters["g"].name, letters["a"].name, "--depth", 1) == set("dgae")


def test_tree_goes_on_with_what_is_whole_in_one_line_each(pets):
    letters = by_letter(pets)
    torn(pets)
    pets.drawings(letters["a"].id)[0].file.write_bytes(b"no picture")
    result = run(pets, "tree", "pets")
    assert result.exit_code == 0
    parts, drawings = result.stderr.splitlines()
    call = to_type("check", "pets", runs=pets.folder.parent)
    assert f"{call} lists what is lost" in parts and "1 picture of the run" in drawings and call in drawings
    texts = (pets.folder / "tree.svg").read_text(encoding="utf-8")
    assert letters["h"].name in texts and letters["e"].id[:8] in texts, "lost parents keep their place"


def test_a_parent_of_another_run_goes_by_its_name_there(pets):
    other = new_run(pets.folder.parent / "others")
    (guest,) = other.add([concept(50)])
    (child,) = pets.add([concept(51, {guest.id: 1.0}, run="others")])
    for command in (["tree", "pets", "--format", "graphml"], ["list", "pets"], ["show", "pets", child.name]):
        assert guest.name in good(pets, *command)
    pets.add([concept(52, {"f" * 16: 1.0}, run="../../x")])
    assert "f" * 16 in good(pets, "tree", "pets", "--format", "graphml"), "a stranger's path is a name and no more"


def test_tree_refuses_in_one_line(pets):
    assert "there is no concept 'nobody'" in one_line(pets, "tree", "pets", "nobody")
    assert "drawn as .png or .svg" in one_line(pets, "tree", "pets", "--to", "tree.pdf")
    new_run(pets.folder.parent / "empty")
    assert "there are no concepts to draw yet" in one_line(pets, "tree", "empty")
    assert run(pets, "tree", "pets", "--depth", "-1").exit_code == 2


def test_a_family_too_large_for_a_picture_says_what_to_do(pets, monkeypatch):
    monkeypatch.setattr("ui.tree.MOST", 5)
    monkeypatch.setattr("ui.family.MOST", 5)
    assert "10 concepts are too many for one picture" in one_line(pets, "tree", "pets")
    good(pets, "tree", "pets", by_letter(pets)["g"].name)


def test_photographs_are_drawn_and_called_by_their_files(pets):
    photo = "photo-0123456789abcdef"
    a = by_letter(pets)["a"]
    (child,) = pets.add([concept(60, {photo: 0.4, a.id: 0.6}, birth="image")])
    assert f"0.4 {photo[:14]}" in " ".join(good(pets, "list", "pets").split())
    pets.add_photo(photo, Image.new("RGB", (300, 200), "red"), "snail.jpg")
    assert "0.4 snail.jpg" in " ".join(good(pets, "list", "pets").split())
    assert f"0.4 snail.jpg + 0.6 {a.name}" in good(pets, "show", "pets", child.name)
    good(pets, "tree", "pets")
    texts = [each.text for each in ElementTree.parse(pets.folder / "tree.svg").getroot().iter() if each.text]
    assert {"snail.jpg", "snail.jpg, photograph", "1 photograph", "4 concepts"} <= set(texts)
    graph = nx.node_link_graph(json.loads(good(pets, "tree", "pets", "--format", "json")), edges="edges")
    assert graph.nodes[photo]["birth"] == "photo" and graph.nodes[photo]["name"] == "snail.jpg"
    assert json.loads(good(pets, "list", "--json"))[0]["concepts"] == 10
    assert "10 concepts, 8 drawings, 0 notes, 1 photograph in 12 parts" in good(pets, "check", "pets")


# lineage


@pytest.mark.parametrize("form", ["graphml", "gexf", "json", "dot"])
def test_lineage_prints_or_writes_the_graph(pets, tmp_path, form):
    printed = good(pets, "tree", "pets", "--format", form)
    to = tmp_path / f"pets.{form}"
    assert good(pets, "tree", "pets", "--to", to).strip() == str(to)
    assert good(pets, "tree", "pets", "--to", to).strip() == f"{to} (replaced)"
    assert (tmp_path / f"pets.{form}").read_text(encoding="utf-8").strip() == printed.strip()
    if form == "dot":
        assert printed.count("->") == 9
    else:
        read = {
            "graphml": lambda text: nx.read_graphml(io.BytesIO(text.encode())),
            "gexf": lambda text: nx.read_gexf(io.BytesIO(text.encode())),
            "json": lambda text: nx.node_link_graph(json.loads(text), edges="edges"),
        }[form]
        assert (len(read(printed)), read(printed).number_of_edges()) == (10, 9)


def test_lineage_is_graphml_unless_something_else_is_said(pets, tmp_path):
    assert good(pets, "tree", "pets", "--format", "graphml").startswith("<?xml") and "graphml" in good(
        pets, "tree", "pets", "--format", "graphml"
    )
    good(pets, "tree", "pets", "--format", "graphml", "--to", tmp_path / "family.txt")
    assert "graphml" in (tmp_path / "family.txt").read_text()
    part = json.loads(good(pets, "tree", "pets", "--format", "json", by_letter(pets)["g"].name))
    assert len(part["nodes"]) == 2
    assert "cannot be written" in one_line(
        pets, "tree", "pets", "--format", "graphml", "--to", pets.folder / "run.json" / "x"
    )


# check


def test_check_says_that_a_run_is_whole(pets):
    shown = good(pets, "check", "pets")
    assert "9 concepts, 8 drawings, 0 notes in 10 parts can be read" in shown and "The run is whole." in shown
    values = json.loads(good(pets, "check", "pets", "--json"))
    assert values == {
        "run": "pets",
        "whole": True,
        "concepts": 9,
        "drawings": 8,
        "notes": 0,
        "photos": 0,
        "parts": 10,
        "schema": 1,
        "findings": [],
        "unfinished": [],
    }


def test_list_and_check_name_what_is_not_finished(pets):
    write_job(pets, "seed", {})
    for command in ("list", "check"):
        shown = " ".join(good(pets, command, "pets").split())
        call = to_type("resume", "pets", runs=pets.folder.parent)
        assert "Not finished: 0001-seed." in shown and f"To resume, unless a process is at work: {call}" in shown
    assert json.loads(good(pets, "check", "pets", "--json"))["unfinished"] == ["0001-seed"]


def test_a_job_that_cannot_be_read_is_one_line_and_the_rest_is_shown(pets):
    write_job(pets, "seed", {})
    (write_job(pets, "breed", {}).folder / "job.json").write_text("{")
    for command in ("list", "check"):
        result = run(pets, command, "pets")
        assert result.exit_code == 0 and "Not finished: 0001-seed." in result.stdout
        (line,) = result.stderr.splitlines()
        assert "0002-breed' cannot be read: remove that folder to go on without it" in line


def test_what_was_not_measured_is_a_dash_and_said_so(pets):
    assert "– means not measured" in good(pets, "list", "pets")


def test_a_name_can_be_taken_back_by_naming_it_as_it_was_born(pets):
    a = by_letter(pets)["a"]
    assert "is its name already" in good(pets, "note", "pets", a.name, "--name", a.name)
    assert f"is called Tiger now; the name {a.name} still finds it" in good(
        pets, "note", "pets", a.name, "--name", "Tiger"
    )
    assert good(pets, "note", "pets", "Tiger", "--name", a.name).strip() == f"Tiger is called {a.name} again"
    assert Run.open(pets.folder).notes()[a.id].name is None


def test_check_names_what_is_lost_and_exits_with_1(pets):
    part = torn(pets)
    result = run(pets, "check", "pets")
    assert result.exit_code == 1 and not result.stderr
    assert f"lost  concepts/{part.name}: it is empty (0 bytes); the concepts of that batch are lost" in result.stdout
    assert "The run is not whole." in result.stdout
    found = run(pets, "check", "pets", "--json")
    assert found.exit_code == 1 and json.loads(found.stdout)["findings"][0]["lost"] is True


# models


def test_models_says_what_a_stack_is_and_can_do(stack_folder, monkeypatch):
    monkeypatch.setattr(ui.models, "NAMED", (str(stack_folder),))
    runner = CliRunner()
    shown = runner.invoke(main, ["doctor", "--models"]).stdout
    assert "tiny-1, fingerprint" in shown and "learn, draw; not calibrated" in shown
    assert "without vqa, judge" in shown and "vectors of 16 numbers" in shown
    one, prior, missing = json.loads(
        runner.invoke(main, ["doctor", "--models", "--json", str(stack_folder / "prior"), "/nowhere"]).stdout
    )
    assert one["draws"] and not one["answers"] and one["parts"]["prior"] and not one["parts"]["vqa"]
    assert not prior["draws"] and prior["parts"]["prior"] and prior["fingerprint"] == one["fingerprint"]
    assert "there is no stack '/nowhere'" in missing["error"]
    assert "amiss     there is no stack" in runner.invoke(main, ["doctor", "--models", "/nowhere"]).stdout


def test_the_embedded_stack_can_be_named():
    assert "emoji" in ui.models.NAMED


def test_a_stack_without_a_part_says_so(stack_folder, tmp_path):
    shutil.copytree(stack_folder, tmp_path / "stack")
    shutil.rmtree(tmp_path / "stack" / "prior" / "tokenizer")
    assert "error" in described(str(tmp_path / "stack"))


# Texts of users and strangers


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "pets"),
        ("list", "pets", "--json"),
        ("show", "pets", "{a}"),
        ("show", "pets", "{a}", "--json"),
        ("check", "pets"),
        ("tree", "pets"),
        ("tree", "pets", "--format", "graphml"),
        ("tree", "pets", "--format", "dot"),
        ("tree", "pets", "--format", "json"),
        ("tree", "pets", "--format", "gexf"),
    ],
)
def test_no_text_of_a_run_is_obeyed(pets, arguments):
    a = hostile(pets)
    about = json.loads((pets.folder / "run.json").read_text())
    about |= {"category": HOSTILE, "stack": about["stack"] | {"version": HOSTILE}}
    (pets.folder / "run.json").write_text(json.dumps(about))
    shown = good(pets, *(argument.replace("{a}", a) for argument in arguments))
    assert "\x1b" not in shown


def test_runs_by_names_that_are_paths_are_refused(pets):
    for command in (
        ["list"],
        ["show", "{}", "x"],
        ["tree"],
        ["tree", "{}", "--format", "dot"],
        ["check"],
        ["note", "{}", "x", "--name", "y"],
    ):
        arguments = [each.replace("{}", "../pets") for each in command]
        arguments += [] if "../pets" in arguments else ["../pets"]
        assert "is not a valid name of a run" in one_line(pets, *arguments)


def test_drawings_of_a_stranger_open_no_other_file(pets):
    secret = pets.folder.parent / "secret.png"
    Image.new("RGB", (8, 8), "red").save(secret)
    row = {"concept": by_letter(pets)["i"].id, "prompt": "a {}", "seed": 1, "file": "../../secret.png"}
    Room(pets.folder / "drawings", DRAWINGS).append([row])
    result = run(pets, "tree", "pets")
    assert result.exit_code == 0 and "1 part or row of the run 'pets' cannot be read" in result.stderr
    assert "not drawn" in (pets.folder / "tree.svg").read_text(encoding="utf-8")


def test_a_folder_of_runs_that_cannot_be_read_is_one_line(pets, monkeypatch):
    def forbidden(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert "cannot be read: Permission denied" in one_line(pets, "list")
    monkeypatch.setattr(Path, "is_file", forbidden)
    assert "cannot be read: Permission denied" in one_line(pets, "check", "pets")


# Names that differ in case or by a letter


@pytest.mark.parametrize(("given", "meant"), [("Bege", "bege"), ("bge", "bege"), ("NOEL", "noël")])
def test_a_name_that_is_nearly_right_is_suggested(tmp_path, given, meant):
    named = new_run(tmp_path / "pets")
    named.add([concept(seed) for seed in range(9)])
    for each, name in zip(named.entries(), ("bege", "noël"), strict=False):
        named.note(each.id, name=name)
    for command in (("show", "pets", given), ("note", "pets", given, "--lock"), ("kin", "pets", given)):
        said = one_line(tmp_path, *command)
        assert said.endswith(f"there is no concept {given!r} in {str(named.folder)!r}: did you mean {meant}?")


def test_runs_and_jobs_that_are_nearly_right_are_suggested(tmp_path):
    write_job(new_run(tmp_path / "pets"), "seed", {})
    said = one_line(tmp_path, "list", "Pets")
    assert "there is no run 'Pets' in" in said and said.endswith("did you mean pets?")
    said = one_line(tmp_path, "stop", "pets", "--job", "0001-SEED")
    assert "there is no job '0001-SEED' in" in said and said.endswith("did you mean 0001-seed?")


# Runs that never came to be


def test_a_run_that_has_nothing_is_forgotten_and_others_stay(tmp_path):
    empty = new_run(tmp_path / "empty")
    assert forget_if_empty(empty) and not empty.folder.exists()
    one = new_run(tmp_path / "one")
    one.add([concept(1)])
    assert not forget_if_empty(one) and len(one.individuals()) == 1
    with pytest.raises(ConceptreeError, match="is not there any more"):
        empty.add([concept(1)])
    assert forget_if_empty(empty) and not empty.folder.exists()


def test_a_run_that_somebody_writes_is_not_forgotten(tmp_path, monkeypatch):
    busy = new_run(tmp_path / "busy")

    def held(*arguments, **options):
        raise ConceptreeError("the run is being written")

    monkeypatch.setattr(Run, "writing", held)
    assert not forget_if_empty(busy) and busy.folder.exists()


@pytest.mark.parametrize("name", [None, "mine"])
def test_a_run_that_cannot_be_made_leaves_no_folder(tmp_path, monkeypatch, name):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConceptreeError, match="No space left on device"):
        run_named(tmp_path, name, "pet", lambda folder: Run.create(folder, "pet", STACK))
    assert not list(tmp_path.iterdir())
