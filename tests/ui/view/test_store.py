"""Runs for pages: read once for each state on disk, and by valid names only."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime

import pytest

from core.errors import ConceptreeError
from evolve import Run
from evolve.jobs.job import Job
from evolve.jobs.stored import new_job
from tests.families import by_letter, concept, family, new_run, picture
from tests.plans import a_seed
from ui.view import links, processes, store


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return family(tmp_path / "pets")


def test_a_run_is_read_once_for_each_state(pets):
    first = store.opened("pets")
    assert store.opened("pets") is first
    assert [each.id for each in first.entries] == [each.id for each in pets.entries()]
    assert first.drawings.keys() == {d.concept for d in pets.drawings()} and first.graph.number_of_nodes() == 10
    (added,) = pets.add([concept(20)])
    second = store.opened("pets")
    assert second is not first and added.id in second.by_id and added.id not in first.by_id


def test_notes_and_drawings_are_news_too(pets):
    each = by_letter(pets)["a"]
    before = store.opened("pets")
    pets.note(each.id, name="moku the first")
    named = store.opened("pets")
    assert named.by_id[each.id].name == "moku the first" and before.by_id[each.id].name == each.name
    pets.add_drawings([(each.id, "a {} in the snow", 2, picture(30))])
    assert len(store.opened("pets").drawings[each.id]) == len(named.drawings[each.id]) + 1


def test_when_it_changed_is_when_something_was_learned_or_said(pets):
    learned = store.opened("pets").changed
    assert learned == max(each.created_at for each in pets.entries())
    pets.note(pets.entries()[0].id, rating=5)
    assert learned < store.opened("pets").changed <= datetime.now(UTC)
    assert store.opened(new_run(pets.folder.parent / "new").folder.name).changed is None


def test_damage_is_kept_with_what_is_whole(pets):
    drawings = sorted((pets.folder / "drawings").glob("*.parquet"))
    drawings[0].write_bytes(b"PAR1")
    found = store.opened("pets")
    assert len(found.entries) == 9 and [each.part for each in found.damage] == [drawings[0]]


@pytest.mark.parametrize("name", ["..", "../pets", "/etc", ".hidden", "", "nobody", "a\x00b"])
def test_only_runs_by_name_are_opened(pets, name):
    with pytest.raises(ConceptreeError):
        store.opened(name)


def test_the_latest_is_the_one_that_changed_last_and_has_a_family(pets):
    assert store.latest() == "pets"
    other = family(pets.folder.parent / "others")
    for place in [other.folder, *other.folder.rglob("*")]:
        os.utime(place, (1e9, 1e9))
    new_run(pets.folder.parent / "new")
    assert store.newest_first()[-1] == "others" and store.latest() == "pets"
    (pets.folder / "run.json").write_text("{")
    assert store.latest() == "others"


def test_without_runs_there_is_no_latest(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path / "none"))
    assert store.latest() is None and store.names() == [] and store.at_work() == []


def test_only_what_is_at_work_is_at_work(pets):
    waiting, working = (new_job(pets, a_seed(count=1)) for _ in range(2))
    assert store.at_work() == []
    with working.working():
        assert [(run, job.name, status.state) for run, job, status in store.at_work()] == [
            ("pets", working.name, "working")
        ]
        (working.folder / "job.json").rename(working.folder / "job.bak")
        assert store.at_work() == []  # a job without its plan
        (working.folder / "job.bak").rename(working.folder / "job.json")
    assert [job.name for job, _ in store.jobs_of(pets)] == [working.name, waiting.name]


def test_looking_does_not_disturb_who_comes_to_work(pets):
    job = new_job(pets, a_seed(count=1))
    ends = threading.Event()

    def look() -> None:
        while not ends.is_set():
            processes.status(job)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(20):
            with Job(job.folder, job.command, job.told).working():
                assert processes.status(job).state == "working"
    finally:
        ends.set()
        looking.join()


def test_addresses_hold_whatever_names_there_are(pets):
    drawing = pets.drawings()[0]
    assert links.picture("my pets & ?", drawing, 64) == (
        f"http://localhost:8501/pictures/my%20pets%20%26%20%3F/{drawing.file.stem}.webp?side=64"
    )
    assert links.photo("pets", "photo-0123456789abcdef") == (
        "http://localhost:8501/photos/pets/photo-0123456789abcdef.webp"
    )
    assert links.look("pets", "0001-seed", "ab" * 12, 96).endswith(f"/looks/pets/0001-seed/{'ab' * 12}.webp?side=96")
