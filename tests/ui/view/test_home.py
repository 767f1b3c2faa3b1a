"""The first page, the list of runs, and the header."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from core.png import png_bytes
from core.segments import Event
from evolve import Run
from evolve.family.share import family_file
from evolve.jobs.job import Stopped
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names
from tests.families import by_letter, family, learned, new_run, picture
from tests.pages import addresses, alts, page, text
from tests.plans import a_seed
from ui.view import processes
from ui.view.screens.home import ago


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def pets(runs) -> Run:
    return family(runs / "pets")


def shown(name: str = "runs", **query: str):
    found = page(name, **query).run()
    assert not found.exception
    return found


def older(run: Run) -> None:
    """Make a run look old."""
    for place in [run.folder, *run.folder.rglob("*")]:
        os.utime(place, (1e9, 1e9))


def test_an_empty_folder_says_how_to_begin(runs):
    assert "There are no runs yet" in text(shown())
    runs.mkdir()
    assert "There are no runs yet" in text(shown())


def test_a_run_is_a_card(pets):
    each = by_letter(pets)
    pets.note(each["e"].id, favourite=True)
    pets.note(each["h"].id, hidden=True)
    found = shown()
    assert "pet · 8 concepts, 1 hidden · 3 generations · 1 favourite · changed just now" in text(found)
    assert alts(found)[0] == f"{each['e'].name}, a pet that does not exist"
    assert not any(each["h"].name in alt for alt in alts(found)) and len(alts(found)) == 6
    drawn = pets.drawings(each["e"].id)[0].file.stem
    assert addresses(found)[0] == f"http://localhost:8501/pictures/pets/{drawn}.webp?side=128"
    (link,) = [link.proto for link in found.get("page_link")]
    assert (link.page, link.query_string, link.label) == ("tree", "run=pets", "**pets**")


def test_the_example_alone_is_explained(runs):
    family(runs / "example")
    assert "example is a family of pets that do not exist" in text(shown())
    new_run(runs / "pets")
    assert "example is a family" not in text(shown())


def test_the_run_that_changed_last_comes_first(pets, runs):
    older(pets)
    family(runs / "alone")
    links = [link.proto.query_string for link in shown().get("page_link")]
    assert links == ["run=alone", "run=pets"]


def test_what_is_wrong_with_a_run_stands_on_its_card(pets, runs):
    for name, about in (("newer", {"schema": 99}), ("torn", "{"), ("empty", {})):
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(json.dumps(about) if isinstance(about, dict) else about)
    found = shown()
    assert "has schema 99" in text(found) and "it is not JSON" in text(found) and len(found.error) == 3
    assert "pet · 9 concepts" in text(found)


def test_a_damaged_part_is_named_and_the_rest_is_shown(pets):
    part = sorted((pets.folder / "concepts").glob("*.parquet"))[0]
    part.write_bytes(part.read_bytes()[:100])
    found = shown()
    assert f"the part {str(part)!r} cannot be read: it is torn" in text(found) and "The rest is shown" in text(found)
    assert "pet · 7 concepts" in text(found)


def test_names_of_runs_and_categories_are_text(runs):
    nasty = "a 'x' onerror=alert(1) $x$ _i_"
    Run.create(
        runs / nasty, "<img src=x onerror=alert(1)> **b**", SimpleNamespace(where="emoji", version="1", fingerprint="f")
    )
    found = shown()
    (link,) = [link.proto for link in found.get("page_link")]
    assert link.label == r"**a \'x\' onerror\=alert\(1\) \$x\$ \_i\_**"
    assert any(each.value.startswith(r"\<img src\=x onerror\=alert\(1\)\> \*\*b\*\*") for each in found.caption)


def test_a_busy_run_says_so_and_stays_readable(pets):
    job = new_job(pets, a_seed())
    with job.working():
        job.tell(0, 140)
        job._told = 0.0
        job.tell(70, 140)
        found = shown()
        assert "2 founders: learning, 50 %" in text(found) and "pet · 9 concepts" in text(found)
        # On other pages too.
        assert "pets: 2 founders: learning, 50 %" in text(page("jobs", run="pets").run())


def test_several_jobs_take_one_line_above_a_page(pets):
    first, second = new_job(pets, a_seed()), new_job(pets, a_seed())
    with first.working(), second.working():
        lines = [link.proto.label for link in page("gallery", run="pets").run().get("page_link")]
        assert sum("2 founders" in line for line in lines) == 1
        assert "and 1 other job" in "".join(lines)


def test_a_card_shows_what_its_job_has_drawn_so_far(pets):
    job, request = new_job(pets, a_seed()), pets.individuals()[0].concept.request
    add_looks(job.folder, [(n, Event(n, 25, request, {}, (picture(40 + n),), (), (), ())) for n in range(2)])
    assert not any("/looks/" in address for address in addresses(shown()))
    with job.working():
        job.tell(70, 140)
        found = shown()
    assert [each.proto.value for each in found.get("progress")] == [50]
    assert sum("/looks/pets/" in address for address in addresses(found)) == 2
    assert alts(found)[-2:] == ["a founder in progress"] * 2


def test_a_card_does_not_show_what_a_person_has_hidden(pets):
    """Issue: the card of a founder job showed founders that a person had hidden."""
    job, (first, second) = new_job(pets, a_seed()), pets.individuals()[:2]
    events = [(n, Event(n, 25, first.concept.request, {}, (picture(40 + n),), (), (), ())) for n in range(2)]
    add_looks(job.folder, events)
    add_names(job.folder, {0: (first.id, first.name), 1: (second.id, second.name)})
    pets.note(second.id, hidden=True)
    with job.working():
        job.tell(70, 140)
        assert [alt for alt in alts(shown()) if "," not in alt] == [first.name]


def test_an_unfinished_job_goes_on_from_its_card(pets, monkeypatch):
    job = new_job(pets, a_seed())
    with pytest.raises(Stopped), job.working():
        job.tell(120, 600)
        raise Stopped
    begun = []
    monkeypatch.setattr(processes, "_begun", {})
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda command, **_: begun.append(command) or SimpleNamespace(poll=lambda: None)
    )
    found = shown()
    assert "2 founders: stopped at step 120 of 600" in text(found)
    found.button(key=f"home.on.pets.{job.name}").click().run()
    assert len(begun) == 1 and "2 founders: starting" in text(found)


def test_what_cannot_be_gone_on_with_is_said(pets):
    job = new_job(pets, a_seed())
    (job.folder / "log.txt").mkdir()
    found = shown()
    found.button(key=f"home.on.pets.{job.name}").click().run()
    assert "cannot be started" in text(found) and not found.exception


def test_many_runs_are_shown_when_asked_for(runs):
    for number in range(14):
        new_run(runs / f"run {number}")
    found = shown()
    assert len(found.get("page_link")) == 12
    found.button(key="home.more").click().run()
    assert len(found.get("page_link")) == 14


def test_another_run_is_chosen_above_a_page(pets, runs):
    new_run(runs / "other")
    found = shown("jobs", run="pets")
    found.selectbox(key="header.run.pets").set_value("other").run()
    assert not found.exception and found.query_params["run"] in ("other", ["other"])
    assert found.selectbox(key="header.run.other").value == "other"


def test_a_run_that_is_not_there_is_one_line(pets):
    found = shown("jobs", run="../pets")
    assert "is not a valid name of a run" in text(found) and len(found.error) == 1
    found = shown("jobs", run="nobody")
    assert "there is no run 'nobody'" in text(found)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (timedelta(seconds=5), "changed just now"),
        (timedelta(minutes=1, seconds=5), "changed 1 minute ago"),
        (timedelta(minutes=59), "changed 59 minutes ago"),
        (timedelta(hours=1), "changed 1 hour ago"),
        (timedelta(hours=30), "changed 1 day ago"),
        (timedelta(days=30), "changed 30 days ago"),
        (timedelta(days=-1), "changed just now"),
    ],
)
def test_when_it_changed_is_said_in_words(before, says):
    assert ago(datetime.now(UTC) - before) == says


def test_after_a_month_the_day_is_said():
    assert ago(datetime(2024, 3, 5, tzinfo=UTC)) == "changed on 5 March 2024"


@pytest.mark.parametrize(
    ("address", "title"), [("tree", "Family tree"), ("gallery", "Gallery"), ("evolve", "Evolve"), ("rate", "Rate")]
)
def test_without_a_run_a_page_says_what_it_needs_and_stays(runs, address, title):
    app = page(address).run()
    assert not app.exception and app.title[0].value == title and "this page shows one" in text(app)
    assert {link.proto.page for link in app.get("page_link")} >= {"seed", "runs"}


def test_a_family_that_somebody_shared_becomes_a_run(runs, backbone):
    theirs = Run.create(runs.parent / "theirs" / "pets", "pet", backbone)
    theirs.add([learned(0, backbone)])
    theirs.note(theirs.entries()[0].id, name="Whisker")
    Run.create(runs / "mine", "pet", backbone)  # by which its stack is known here
    app = page("runs").run()
    content = family_file(theirs, ["Whisker"])
    app.file_uploader(key="home.file").upload("whisker.family.zip", content, "application/zip").run()
    app.button(key="home.adopt").click().run()
    assert not app.exception and not app.error and app.session_state["run"] == "whisker"  # like the file
    assert Run.open(runs / "whisker").find("Whisker").concept == theirs.find("Whisker").concept


def test_a_strangers_file_is_refused_in_one_line(runs, pets):
    app = page("runs").run()
    app.file_uploader(key="home.file").upload("strangers.family.zip", b"no zip at all", "application/zip").run()
    app.button(key="home.adopt").click().run()
    assert not app.exception and len(app.error) == 1
    assert sorted(each.name for each in runs.iterdir()) == ["pets"]


def test_a_dropped_drawing_opens_its_concept_with_prompt_and_seed(runs, pets):
    entry = pets.entries()[0]
    (drawing,) = pets.add_drawings([(entry.id, "a {} in the snow", 7, picture(99))])
    app = page("runs").run()
    app.file_uploader(key="home.file").upload("x.png", drawing.file.read_bytes(), "image/png").run()
    app.button(key="home.adopt").click().run()
    assert not app.exception and not app.error
    assert app.session_state["run"] == "pets" and entry.name in text(app)
    assert app.text_input(key="concept.prompt").value == f"a {entry.name} in the snow"
    assert app.number_input(key="concept.seed").value == 7


def test_a_strangers_picture_is_refused_in_one_line(runs, pets):
    app = page("runs").run()
    app.file_uploader(key="home.file").upload("x.png", png_bytes(picture()), "image/png").run()
    app.button(key="home.adopt").click().run()
    assert not app.exception and len(app.error) == 1 and "does not say which concept" in app.error[0].value
