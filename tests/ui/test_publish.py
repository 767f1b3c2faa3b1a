"""publish: a family as a folder of web pages that work from a disk, hold no one's HTML, and replace nothing else."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest
from PIL import Image

from core.png import strangers_texts
from evolve import Run
from evolve.family.focus import MOST
from evolve.store.rows import Note, row_of_note
from tests.families import by_letter, concept, family, new_run, picture
from tests.typed import good, one_line
from tests.typed import run as run_command
from ui.publish import MARK, write_site, zipped
from ui.publishing.family import chosen, page_of
from ui.publishing.site import files

PHOTO = "photo-0123456789abcdef"
NASTY = "<script>alert(1)</script>"


class Page(HTMLParser):
    """What a browser sees: elements with their attributes, and text."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def addresses(self) -> list[str]:
        return [value for _, given in self.elements for name, value in given.items() if name in ("href", "src")]


@pytest.fixture
def pets(tmp_path) -> Run:
    return family(tmp_path / "runs" / "pets")


def published(run: Run, folder: Path, *more: object) -> str:
    return good("publish", run.folder.name, *more, "--to", folder, "--runs", run.folder.parent)


def pages(folder: Path) -> dict[str, Page]:
    return {each.relative_to(folder).as_posix(): Page(each.read_text()) for each in sorted(folder.rglob("*.html"))}


def content(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_every_concept_has_a_page_and_every_address_is_a_file_of_the_site(pets, tmp_path):
    site, letters = tmp_path / "site", by_letter(pets)
    said = published(pets, site)
    assert f"{site / 'index.html'}: 9 concepts" in said
    found = pages(site)
    assert found.keys() == {"index.html", *(page_of(each.id) for each in letters.values())}
    for path, page in found.items():
        for address in page.addresses():
            if address != "data:,":
                assert not re.match(r"[a-z]+:|/", address), f"{address} in {path} is not relative"
                target = os.path.normpath(PurePosixPath(path).parent / unquote(address))
                assert (site / target).is_file(), f"{address} in {path}"
    reached = {os.path.normpath(address) for address in found["index.html"].addresses()}
    assert {page_of(each.id) for each in letters.values()} <= reached


def test_a_page_has_parents_with_weights_children_words_and_provenance(pets, tmp_path):
    published(pets, tmp_path / "site")
    letters, found = by_letter(pets), pages(tmp_path / "site")
    page = found[page_of(letters["e"].id)]
    names = {letter: each.name for letter, each in letters.items()}
    assert f"child of 75% {names['a']} + 25% {names['b']}, generation 1" in page.text
    linked = [address for address in page.addresses() if "concepts/" in address]
    for letter in "abhi":  # two parents, two children
        assert f"../{page_of(letters[letter].id)}" in linked
    assert "75%" in page.text and "dog (step 5, question answerer)" in page.text and "pet × 2" in page.text
    assert "Seed4" in page.text and "tiny-1 (f)" in page.text and "Apache-2.0" in page.text
    alts = [given["alt"] for tag, given in page.elements if tag == "img"]
    assert f"a photo of a {names['e']}" in alts
    assert "This concept was not drawn." in found[page_of(letters["i"].id)].text
    assert "a concept of another run" in found[page_of(letters["i"].id)].text


def test_what_people_wrote_is_text(pets, tmp_path):
    each = by_letter(pets)["e"]
    comment = f'"><img src=x onerror=alert(1)>\n{NASTY}'
    # No command stores such a name, but a file from a stranger may have one.
    pets.rooms["notes"].append([row_of_note(each.id, Note(name=NASTY, comment=comment), datetime.now(UTC))])
    pets.add_drawings([(each.id, f"a {{}} {NASTY}", 7, picture(3))])
    published(pets, tmp_path / "site")
    found = pages(tmp_path / "site")
    for path, page in found.items():
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "iframe", "object", "form"}, path
        assert not [name for _, given in page.elements for name in given if name.startswith("on")], path
    page = found[page_of(each.id)]
    assert NASTY in page.text and '"><img src=x onerror=alert(1)>' in page.text
    assert f"a {NASTY} {NASTY}" in [given.get("alt") for _, given in page.elements]
    assert NASTY in found["index.html"].text


def test_an_id_from_a_stranger_stays_in_the_folder():
    assert re.fullmatch(r"concepts/[0-9a-f]{16}\.html", page_of("../../index"))
    assert page_of("0123456789abcdef") == "concepts/0123456789abcdef.html"


def test_the_same_run_gives_the_same_bytes(pets, tmp_path):
    published(pets, tmp_path / "one")
    published(pets, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")
    archive = zipped(chosen(Run.open(pets.folder)))
    assert archive == zipped(chosen(pets))
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == {
            f"pets-site/{path}": each for path, each in content(tmp_path / "one").items()
        }


def test_hidden_concepts_are_left_out_everywhere(pets, tmp_path):
    letters, site = by_letter(pets), tmp_path / "site"
    pets.note(letters["a"].id, hidden=True, name="Secretpet")
    said = published(pets, site)
    assert "8 concepts" in said and "1 hidden concept is left out: --all publishes them too" in said
    naming = [path for path, each in content(site).items() if b"Secretpet" in each]
    assert naming == [page_of(letters["e"].id)], "the page of its child, and no other page, picture or list"
    child = pages(site)[naming[0]].text
    assert "Secretpet (not shown)" in child and child.count("Secretpet") == child.count("Secretpet (not shown)")
    assert page_of(letters["a"].id) not in pages(site)
    told = published(pets, site, "--all")
    assert "9 concepts" in told and "left out" not in told
    assert "Secretpet" in pages(site)["index.html"].text
    assert "1 concept," in published(pets, tmp_path / "named", "Secretpet"), "it is asked for by name"


def test_named_concepts_come_with_their_ancestors_alone(pets, tmp_path):
    letters = by_letter(pets)
    assert "3 concepts" in published(pets, tmp_path / "site", letters["e"].name)
    assert pages(tmp_path / "site").keys() == {"index.html", *(page_of(letters[letter].id) for letter in "abe")}
    assert "there is no concept 'ghost'" in one_line("publish", "pets", "ghost", "--runs", pets.folder.parent)


def test_a_drawing_keeps_its_provenance(pets, tmp_path):
    published(pets, tmp_path / "site")
    texts = [strangers_texts(each) for path, each in content(tmp_path / "site").items() if path.endswith(".png")]
    assert {each["id"] for each in texts} == {each.id for letter, each in by_letter(pets).items() if letter != "i"}
    assert all(each["prompt"] == "a photo of a {}" and each["seed"] == "1" for each in texts)


def test_photographs_are_published_only_if_they_are_asked_for(pets, tmp_path):
    pets.add([concept(30, {PHOTO: 1.0}, birth="image")])
    pets.add_photo(PHOTO, picture(9), "me and my snail.jpg")
    said = published(pets, tmp_path / "site")
    assert "1 photograph is left out: --photos publishes" in said
    assert not any(b"snail" in each for each in content(tmp_path / "site").values())
    page = pages(tmp_path / "site")[page_of(pets.entries()[-1].id)]
    assert "child of a photograph" in page.text
    assert "left out" not in published(pets, tmp_path / "with", "--photos")
    page = pages(tmp_path / "with")[page_of(pets.entries()[-1].id)]
    assert "me and my snail.jpg" in page.text
    assert "me and my snail.jpg" in [given.get("alt") for tag, given in page.elements if tag == "img"]


def test_a_large_drawing_has_a_small_copy_for_cards(tmp_path):
    run = new_run(tmp_path / "runs" / "large")
    run.add([concept(1)])
    run.add_drawings([(run.entries()[0].id, "a photo of a {}", 1, Image.new("RGB", (640, 480), "red"))])
    made = dict(files(chosen(run)))
    (small,) = (path for path in made if path.endswith("-small.webp"))
    assert Image.open(io.BytesIO(made[small])).size == (240, 180)
    assert small in made["index.html"].decode()
    assert small.replace("-small.webp", ".png") in made[page_of(run.entries()[0].id)].decode()


def test_a_family_that_is_too_large_for_one_picture_has_all_its_pages(tmp_path):
    run = new_run(tmp_path / "runs" / "many")
    run.add([concept(seed) for seed in range(MOST + 5)])
    made = dict(files(chosen(run)))
    assert sum(path.startswith("concepts/") for path in made) == MOST + 5
    index = Page(made["index.html"].decode())
    assert f"The tree shows {MOST} of {MOST + 5} concepts" in index.text
    assert sum(tag == "a" for tag, _ in index.elements) == 2 * MOST + 5  # the tree's, and all of the gallery's


def test_a_site_is_replaced_by_its_next_edition(pets, tmp_path):
    site, each = tmp_path / "site", by_letter(pets)["e"]
    published(pets, site, each.name)
    pets.note(each.id, name="Whisker")
    published(pets, site, "Whisker")
    assert "Whisker" in pages(site)["index.html"].text
    published(pets, site, by_letter(pets)["a"].name)
    assert len(pages(site)) == 2, "nothing of the earlier edition is left"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["runs", "site"]


def test_only_an_unchanged_site_of_the_run_is_replaced(pets, tmp_path, monkeypatch):
    where = ("--runs", pets.folder.parent)
    (tmp_path / "file").write_text("mine")
    assert "is a file" in one_line("publish", "pets", "--to", tmp_path / "file", *where)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    said = one_line("publish", "pets", "--to", tmp_path / "mine", *where)
    assert "has files that no site of Conceptree wrote, such as 'diary.txt': name another folder with --to" in said
    assert (tmp_path / "mine" / "diary.txt").read_text() == "mine"
    site = tmp_path / "site"
    published(pets, site)
    (site / "CNAME").write_text("pets.example")
    assert "'CNAME' in" in (said := one_line("publish", "pets", "--to", site, *where)) and "is not of the site" in said
    (site / "CNAME").unlink()
    (site / "style.css").write_text("body { color: pink }")
    assert "'style.css' in" in (said := one_line("publish", "pets", "--to", site, *where)) and "was changed" in said
    other = family(tmp_path / "runs" / "birds")
    published(other, tmp_path / "birds")
    said = one_line("publish", "pets", "--to", tmp_path / "birds", *where)
    assert "is the site of the run 'birds'" in said
    (tmp_path / "birds" / MARK).write_text('{"conceptree_site": 1, "run": [')
    assert "no site of Conceptree wrote" in one_line("publish", "birds", "--to", tmp_path / "birds", *where)
    monkeypatch.chdir(site)
    for around in (".", "/"):
        assert "is the folder that you are in" in one_line("publish", "pets", "--to", around, *where)


def test_a_link_in_a_site_is_not_followed(pets, tmp_path):
    site, mine = tmp_path / "site", tmp_path / "mine"
    published(pets, site)
    mine.mkdir()
    (mine / "diary.txt").write_text("mine")
    (site / "more").symlink_to(mine)
    assert "'more' in" in one_line("publish", "pets", "--to", site, "--runs", pets.folder.parent)
    (site / "more").unlink()
    (tmp_path / "link").symlink_to(site)
    published(pets, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and (mine / "diary.txt").is_file()


def test_a_site_that_could_not_be_finished_changes_nothing(pets, tmp_path, monkeypatch):
    import ui.publish

    site = tmp_path / "site"
    published(pets, site)
    before = content(site)

    def half(family):
        yield "index.html", b"half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ui.publish, "files", half)
    said = one_line("publish", "pets", "--to", site, "--runs", pets.folder.parent)
    assert "No space left on device: name another folder with --to" in said
    assert content(site) == before and sorted(each.name for each in tmp_path.iterdir()) == ["runs", "site"]


def test_a_site_is_put_back_if_the_new_one_cannot_take_its_place(pets, tmp_path, monkeypatch):
    site = tmp_path / "site"
    published(pets, site)
    before, rename = content(site), Path.rename

    def refused(self, target):
        if self.name.startswith(".conceptree-site-") and (self / "index.html").exists() and not refused.done:
            refused.done = True
            raise OSError(5, "Input/output error")
        return rename(self, target)

    refused.done = False
    monkeypatch.setattr(Path, "rename", refused)
    assert "Input/output error" in one_line("publish", "pets", "--to", site, "--runs", pets.folder.parent)
    assert refused.done and content(site) == before


@pytest.mark.parametrize("successor", [False, True])
def test_a_site_that_a_killed_process_moved_away_comes_back(pets, tmp_path, successor):
    site, away = tmp_path / "site", tmp_path / ".conceptree-before-site"
    published(pets, site)
    before = content(site)
    site.rename(away)
    if successor:
        shutil.copytree(away, site)
    published(pets, site)
    assert content(site) == before and sorted(each.name for each in tmp_path.iterdir()) == ["runs", "site"]
    away.mkdir()
    (site / "note.txt").write_text("mine")
    assert "note.txt" in one_line("publish", "pets", "--to", site, "--runs", pets.folder.parent)
    assert (site / "note.txt").read_text() == "mine"


def test_torn_pictures_and_lost_requests_are_told_and_the_rest_is_published(pets, tmp_path):
    letters = by_letter(pets)
    drawing = pets.drawings(letters["a"].id)[0]
    drawing.file.write_bytes(drawing.file.read_bytes()[:40])
    result = run_command("publish", "pets", "--to", tmp_path / "site", "--runs", pets.folder.parent)
    assert result.exit_code == 0 and "1 picture is left out: its file is missing or torn" in result.stderr
    assert "This concept was not drawn." in pages(tmp_path / "site")[page_of(letters["a"].id)].text


def test_an_empty_run_and_one_that_is_hidden_are_one_line(tmp_path):
    run = new_run(tmp_path / "runs" / "empty")
    where = ("--to", tmp_path / "site", "--runs", tmp_path / "runs")
    assert "has no concepts to publish: seed or import some first" in one_line("publish", "empty", *where)
    run.add([concept(1)])
    run.note(run.entries()[0].id, hidden=True)
    assert "all of them are hidden: --all" in one_line("publish", "empty", *where)
    assert not (tmp_path / "site").exists()


def test_the_same_is_told_as_json(pets, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = json.loads(good("publish", "pets", "--json", "--runs", pets.folder.parent))
    assert told["folder"] == "pets-site" and len(told["concepts"]) == 9 and (tmp_path / told["index"]).is_file()
    assert told["files"] == len(content(tmp_path / "pets-site"))
    assert told["bytes"] == sum(map(len, content(tmp_path / "pets-site").values()))
    assert told["left_out"] == {"hidden": 0, "pictures": 0}


def test_a_site_is_readable_for_a_web_server(pets, tmp_path):
    write_site(chosen(pets), tmp_path / "site")
    assert (tmp_path / "site").stat().st_mode & 0o777 == 0o755
