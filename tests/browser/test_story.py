"""A whole session in the browser: seed, watch, breed, rate, undo, export; and requests of strangers."""

from __future__ import annotations

import io
import re
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from core.exchange import read_embedding
from evolve import Run
from evolve.jobs.stored import jobs
from evolve.store.rows import Entry

pytestmark = pytest.mark.browser
MINUTES = 60_000  # milliseconds
NASTY = "<img src=x onerror=document.title='hurt'> **bold** :red[red] $x$"


def node(page, name: str) -> tuple[float, float]:
    """Position of a concept on the page, once the tree has stopped moving."""
    canvas = page.locator(".family .canvas")

    def at() -> tuple[float, float]:
        found = canvas.evaluate(
            """(element, name) => {
                const found = element._cyreg.cy.nodes().filter((node) => node.data("name") === name);
                return found.length ? found[0].renderedPosition() : null;
            }""",
            name,
        )
        assert found, f"{name} is not in the tree"
        box = canvas.bounding_box()
        return box["x"] + found["x"], box["y"] + found["y"]

    place = at()
    for _ in range(50):
        page.wait_for_timeout(400)
        before, place = place, at()
        if place == before:
            break
    return place


def shown(page) -> set[str]:
    """Names in the tree."""
    return set(
        page.locator(".family .canvas").evaluate(
            """(element) => element._cyreg.cy.nodes().filter((n) => !n.data("count")).map((n) => n.data("name"))"""
        )
    )


def wait_for(condition, seconds: float, what: str):
    """Wait until the condition is true; return its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"after {seconds:g} s there was no {what}")


def settled(page) -> None:
    """Wait until Streamlit has drawn the page with its pictures."""
    page.wait_for_selector("[data-testid=stApp]")
    page.wait_for_function("() => !document.querySelector('[data-testid=stStatusWidget]')", timeout=MINUTES)
    page.wait_for_load_state("networkidle")


def fill(page, role: str, name: str, text: str) -> None:
    """Type into a field and press Enter."""
    field = page.get_by_role(role, name=name, exact=True)
    field.fill(text)
    field.press("Enter")
    page.wait_for_timeout(600)


@pytest.fixture(scope="module")
def story() -> dict:
    """Results that later tests use."""
    return {}


def test_the_first_page_shows_a_family(workbench, page, shot):
    page.goto(workbench.address)
    page.wait_for_selector(".family .canvas canvas")
    wait_for(lambda: len(shown(page)) == 12, 60, "family of twelve")
    page.wait_for_timeout(1500)  # the pictures
    shot(page, "tree")
    page.mouse.click(*node(page, sorted(shown(page))[0]))
    page.get_by_role("button", name=re.compile("parent", re.I)).first.wait_for()
    shot(page, "tree-best")


def visible(folder: Path) -> list[Entry]:
    return [each for each in Run.open(folder).entries() if not each.note.hidden]


def test_seeding_two_founders_survives_a_reload_and_the_servers_death(workbench, page, shot, story):
    page.goto(f"{workbench.address}/seed")
    page.get_by_text("More", exact=True).first.click()
    fill(page, "textbox", "Name of the run", "story")
    fill(page, "spinbutton", "Steps", "60")
    fill(page, "spinbutton", "Steps per segment", "20")
    fill(page, "spinbutton", "Founders", "2")
    fill(page, "spinbutton", "Tries", "3")
    page.get_by_text("60 steps each").wait_for()
    shot(page, "seed")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/jobs"))
    run = wait_for(lambda: (workbench.runs / "story" / "run.json").is_file() and workbench.runs / "story", 60, "run")
    (job,) = jobs(Run.open(run))
    wait_for(lambda: job.status().state == "working", 60, "process at work")
    page.reload()
    page.get_by_text(re.compile("of 120 steps|step", re.I)).first.wait_for()
    workbench.kill()
    assert job.status().state in ("working", "finished"), "a job does not depend on the server"
    workbench.start()
    page.goto(f"{workbench.address}/jobs?run=story&job={job.name}")
    wait_for(lambda: len(job.looks()) >= 6, 180, "look at the second founder")
    page.get_by_text("Founder 2").first.wait_for()
    page.wait_for_function("[...document.images].every((each) => each.complete && each.naturalWidth)")
    shot(page, "jobs-best")
    wait_for(lambda: job.status().state == "finished", 240, "end of the job")
    assert len(visible(run)) == 2 and len(Run.open(run).entries()) == 3
    page.get_by_text(re.compile("finished|done|all", re.I)).first.wait_for()
    page.wait_for_timeout(2500)
    shot(page, "jobs-finished")
    story["founders"] = [each.name for each in visible(run)]


def test_two_parents_selected_with_clicks_have_a_child_that_appears(workbench, page, shot, story):
    page.goto(f"{workbench.address}/tree?run=story")
    page.wait_for_selector(".family .canvas canvas")
    wait_for(lambda: shown(page) == set(story["founders"]), 60, "founders in the tree")
    first, second = story["founders"]
    page.mouse.click(*node(page, first))
    page.get_by_role("button", name="Add to the parents").wait_for()
    page.keyboard.down("Shift")
    page.mouse.click(*node(page, second))
    page.keyboard.up("Shift")
    page.get_by_role("button", name=re.compile(r"^Breed \d+$")).wait_for()
    page.get_by_text(re.compile("Preview", re.I)).first.wait_for()
    page.wait_for_timeout(2500)
    shot(page, "breed")
    fill(page, "spinbutton", "Children", "1")
    page.get_by_text("Draft", exact=True).click()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name=re.compile(r"^Breed \d+$")).click()
    run = Run.open(workbench.runs / "story")
    wait_for(lambda: len(run.entries()) == 4, 240, "child in the run")
    *founders, child = visible(run.folder)
    assert {parent.id for parent in child.parents} == {each.id for each in founders}
    wait_for(lambda: child.name in shown(page), 60, "child in the tree")
    wait_for(lambda: jobs(run)[-1].status().state == "finished", 120, "end of the job")
    page.wait_for_timeout(3000)
    shot(page, "breed-best")
    story["child"], story["child_name"] = child.id, child.name


def test_its_page_rates_undoes_and_takes_away(workbench, page, shot, story, tmp_path):
    run = Run.open(workbench.runs / "story")
    page.goto(f"{workbench.address}/concept?run=story&concept={story['child']}")
    page.get_by_label("Comment").wait_for()
    settled(page)
    shot(page, "concept")
    page.get_by_role("radio", name="4 out of 5 stars").click()
    wait_for(lambda: run.entry(story["child"]).note.rating == 4, 30, "rating")
    page.get_by_role("button", name="Undo").first.click()
    wait_for(lambda: run.entry(story["child"]).note.rating is None, 30, "undone rating")

    page.get_by_label("Comment").fill(NASTY)
    page.get_by_label("Comment").press("Control+Enter")
    wait_for(lambda: run.entry(story["child"]).note.comment == NASTY, 30, "comment")
    for address in ("gallery?run=story", "tree?run=story", f"concept?run=story&concept={story['child']}"):
        page.goto(f"{workbench.address}/{address}")
        settled(page)
        assert page.title() != "hurt" and not page.locator("img[src=x]").count()

    page.get_by_role("button", name="Export").first.click()
    page.wait_for_timeout(1500)
    with page.expect_download(timeout=MINUTES) as download:
        page.get_by_test_id("stPopoverBody").get_by_test_id("stDownloadButton").first.get_by_role("button").click()
    content = download.value.path().read_bytes()
    name = download.value.suggested_filename
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            name = next(each for each in packed.namelist() if each.endswith(".safetensors"))
            content = packed.read(name)
    file = tmp_path / "child.safetensors"
    file.write_bytes(content)
    assert (read_embedding(file).vectors == run.find(story["child"]).concept.vectors).all()


def test_a_name_that_would_be_code_stays_text(workbench, page, story):
    page.goto(f"{workbench.address}/concept?run=story&concept={story['child']}")
    page.get_by_label("Name", exact=True).fill("<img src=x onerror=document.title='hurt'>")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_text(re.compile("is not a valid name of a concept")).first.wait_for()
    assert page.title() != "hurt" and not page.locator("img[src=x]").count()
    assert Run.open(workbench.runs / "story").entry(story["child"]).name == story["child_name"]


def test_gallery_compare_and_rate_are_there(workbench, page, shot):
    for address, name in (("gallery?run=example", "gallery"), ("rate?run=example", "rate"), ("runs", "runs")):
        page.goto(f"{workbench.address}/{address}")
        settled(page)
        page.wait_for_timeout(1500)
        assert not page.locator("[data-testid=stException]").count()
        shot(page, name)
    first, second, third = [each.id for each in Run.open(workbench.runs / "example").entries()[:3]]
    page.goto(f"{workbench.address}/compare?run=example&concepts={first},{second},{third}")
    settled(page)
    assert not page.locator("[data-testid=stException]").count()
    shot(page, "compare")


def test_strangers_are_refused(workbench):
    def asked(path: str, host: str | None = None) -> int:
        request = urllib.request.Request(f"{workbench.address}{path}", headers={"Host": host} if host else {})
        try:
            return urllib.request.urlopen(request, timeout=10).status
        except urllib.error.HTTPError as error:
            return error.code

    picture = next((workbench.runs / "example" / "drawings").glob("*.png")).stem
    assert asked(f"/pictures/example/{picture}.webp") == 200
    assert asked(f"/pictures/example/{picture}.webp", "evil.example") == 400
    assert asked("/", "evil.example") == 400
    for path in ("/pictures/../run.json", "/pictures/..%2f..%2fsecret/a.webp", f"/pictures/%2e%2e/{picture}.webp"):
        assert asked(path) in (400, 404), path
