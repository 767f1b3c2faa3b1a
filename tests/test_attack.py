"""A short form of `make attack`: failing disks and damaged files, with a fixed seed."""

from __future__ import annotations

import random
import re

import pytest

from tests import faults, fuzz

PLACES = {"seed": 1, "breed": 1, "evolve": 1, "share": 2, "adopt": 2}  # tries with each fault
FILES, SEED = 6, 5


@pytest.fixture(scope="module")
def stories(tmp_path_factory, backbone):
    folder = tmp_path_factory.mktemp("stories").resolve()
    return folder, {story.name: story for story in faults.stories(folder, backbone)}


@pytest.mark.parametrize("name", faults.STORIES)
def test_whatever_fails_on_the_disk_the_resumed_run_is_the_undisturbed_one(stories, name):
    folder, story = stories[0], stories[1][name]
    rng, most = random.Random(f"{SEED} {name}"), faults.operations(story, folder)
    for fault in faults.FAULTS:
        for at in rng.sample(range(1, most + 1), PLACES[name]):
            assert faults.disturbed(story, folder, at, fault)[0] == ""


def test_the_disk_fails_where_it_should(tmp_path):
    disk = faults.Disk(tmp_path.resolve(), 2)
    with faults.failing(disk), pytest.raises(OSError, match="No space left"):
        (tmp_path / "file").write_bytes(b"0123456789")
    assert [name.split()[0] for name in disk.names] == ["open", "write"]
    assert (tmp_path / "file").read_bytes() == b"01234", "a failing write stores half"


READERS = (
    "safetensors",
    "npz",
    "npz: vectors.npy",
    "bin",
    "bin: data.pkl",
    "pt",
    "pt: data.pkl",
    "sidecar",
    *(f"photo {form}" for form in fuzz.PHOTOS),
    "portrait",
    "family",
    "family: family.json",
    "family: concepts.jsonl",
    "family: drawings.jsonl",
    "run.json",
    "job.json",
    "concepts",
    "notes",
    "drawings",
    "concepts: request",
    "concepts: settings",
)


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return {reader.name: reader for reader in fuzz.readers(tmp_path_factory.mktemp("files"))}


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_line(readers, name):
    assert set(readers) == set(READERS)
    assert fuzz.fault(readers[name], readers[name].content) == ""
    number, failed = fuzz.tried(readers[name], FILES, SEED)
    assert failed == ""
    assert number >= FILES


def test_a_fault_is_told_with_the_smallest_damage(monkeypatch):
    def read(content: bytes) -> None:
        if b"NaN" in content:
            raise ZeroDivisionError

    _, failed = fuzz.tried(fuzz.Reader("numbers", b'{"a": 1, "b": 2}', read), 500, SEED)
    assert re.fullmatch(r"ZeroDivisionError: ; the damage is \(\(\d, \d, b'NaN'\),\)", failed), "one edit"
    known = eval(failed.split(" is ")[1])
    monkeypatch.setitem(fuzz.OWN, "numbers", (known,))
    assert fuzz.tried(fuzz.Reader("numbers", b'{"a": 1, "b": 2}', read), 1, SEED) == (len(fuzz.KNOWN) + 1, failed)


def test_a_reader_that_takes_too_long_or_too_much_is_a_fault():
    def waits(_: bytes) -> None:
        while True:
            pass

    with pytest.raises(TimeoutError, match="more than 1 s"), fuzz.bounded(1):
        waits(b"")
    assert fuzz.fault(fuzz.Reader("large", b"", lambda _: bytearray(2**31)), b"").startswith("MemoryError")
