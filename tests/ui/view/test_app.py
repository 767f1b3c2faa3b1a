"""The server: ports, host names, and pictures that are served by their ids only."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.sessions import PAGES, visited
from evolve import Run
from tests.families import family, picture
from tests.typed import one_line
from ui.view import theme
from ui.view.command import FIRST_PORT, command, free_port, hosts_of

ROOT = Path(__file__).parents[3]


class Served:
    """`conceptree view` on a small family."""

    def __init__(self, folder: Path) -> None:
        self.runs = folder / "runs"
        self.run: Run = family(self.runs / "pets")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        arguments = ["view", "--runs", str(self.runs), "--port", str(self.port), "--no-browser"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HOME": str(folder)},
            text=True,
            # Tests in the background ignore Ctrl-C, and their children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        for _ in range(600):
            assert self.process.poll() is None, self.process.stdout.read()
            try:
                if self.get("/_stcore/health").status == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the workbench does not answer")

    def get(self, path: str, host: str | None = None, origin: str | None = None) -> http.client.HTTPResponse:
        """The answer to exactly this path, not normalised."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path, headers={k: v for k, v in (("Host", host), ("Origin", origin)) if v})
        answer = connection.getresponse()
        answer.content = answer.read()
        return answer


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    found = Served(tmp_path_factory.mktemp("served"))
    yield found
    found.process.kill()
    found.process.wait()


@pytest.fixture
def digest(served) -> str:
    return served.run.drawings()[0].file.stem


def shown(answer: http.client.HTTPResponse) -> Image.Image:
    with Image.open(io.BytesIO(answer.content)) as found:
        return found.convert("RGB")


def test_a_picture_comes_by_its_run_and_digest_for_ever(served, digest):
    answer = served.get(f"/pictures/pets/{digest}.webp")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    with Image.open(served.run.folder / "drawings" / f"{digest}.png") as stored:
        assert shown(answer).tobytes() == stored.convert("RGB").tobytes()


@pytest.mark.parametrize("side", [32, 96, 512])
def test_it_comes_smaller_or_larger(served, digest, side):
    assert shown(served.get(f"/pictures/pets/{digest}.webp?side={side}")).size == (side, side)


def test_what_a_job_drew_and_photographs_come_by_their_ids_too(served):
    content = io.BytesIO()
    picture(5).save(content, format="PNG")
    look = hashlib.sha256(content.getvalue()).hexdigest()[:24]
    looks = served.run.folder / "jobs" / "0001-seed" / "looks"
    looks.mkdir(parents=True)
    (looks / f"{look}.png").write_bytes(content.getvalue())
    assert shown(served.get(f"/looks/pets/0001-seed/{look}.webp")).tobytes() == picture(5).tobytes()
    photo = served.run.add_photo("photo-0123456789abcdef", Image.new("RGB", (300, 150), "red"), "holiday.jpg")
    assert shown(served.get(f"/photos/pets/{photo.id}.webp?side=64")).size == (64, 32)


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/pets/{digest}.webp?side=33",
        "/pictures/pets/{digest}.webp?side=999999",
        "/pictures/pets/{digest}.webp?side=-1",
        "/pictures/pets/{digest}.webp?side=%D9%A3%D9%A2",
        "/pictures/pets/{digest}.png",
        "/pictures/others/{digest}.webp",
        "/pictures/pets/ffffffffffffffffffffffff.webp",
        "/pictures/pets/..%2f..%2fpets%2fdrawings%2f{digest}.webp",
        "/pictures/pets/%2e%2e.webp",
        "/pictures/../pictures/pets/run.json.webp",
        "/pictures/..%2fruns%2fpets/{digest}.webp",
        "/pictures/%2e%2e/{digest}.webp",
        "/pictures/.hidden/{digest}.webp",
        "/pictures/pets%00/{digest}.webp",
        "/looks/pets/..%2f0001-seed/{digest}.webp",
        "/looks/pets/0001-seed/../../run.webp",
        "/looks/pets/0001-seed/job.webp",
        "/photos/pets/run.json.webp",
        "/photos/pets/photo-ffffffffffffffff.webp",
        "/mixtures/ffffffffffffffffffffffff/50-50.webp",
        "/mixtures/ffffffffffffffffffffffff/..%2f..%2fpets.webp",
        "/mixtures/x",
        "/ghosts/others",
        "/ghosts/..%2fpets",
        "/offers?run=others",
        "/offers?run=..%2fpets",
        "/offers/..%2fpets",
    ],
)
def test_nothing_else_is_served(served, digest, path):
    answer = served.get(path.format(digest=digest))
    assert answer.status in (400, 404), answer.content
    assert answer.headers["content-type"] != "image/webp"
    assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize(
    "path", ["/../../../etc/passwd", "/static/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"]
)
def test_no_path_leads_out(served, path):
    answer = served.get(path)
    assert b"root:" not in answer.content
    # Streamlit answers what it does not know with its own page.
    assert answer.status in (400, 404) or b"<title>" in answer.content


def test_a_picture_that_is_put_back_is_shown(served, digest):
    file = served.run.folder / "drawings" / f"{digest}.png"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        answer = served.get(f"/pictures/pets/{digest}.webp?side=64")
        assert (answer.status, answer.headers["cache-control"]) == (404, "no-store")
        file.unlink()
        assert served.get(f"/pictures/pets/{digest}.webp?side=64").status == 404
    finally:
        file.write_bytes(whole)
    assert served.get(f"/pictures/pets/{digest}.webp?side=64").status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.nip.io"])
@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/stream", "/pictures/pets/{digest}.webp"])
def test_who_asks_under_another_name_is_refused(served, digest, path, host):
    assert served.get(path.format(digest=digest), host.format(port=served.port)).status == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "127.0.0.1:{port}"])
def test_its_own_names_are_answered(served, host):
    assert served.get("/", host.format(port=served.port)).status == 200


def test_foreign_origins_are_refused_and_no_page_frames_ours(served):
    own, foreign = f"http://127.0.0.1:{served.port}", "http://127.0.0.1:1"
    for path in ("/", "/_stcore/health", "/_stcore/stream"):
        assert served.get(path, origin=foreign).status == 403
    answer = served.get("/", origin=own)
    assert answer.status == 200 and b"<title>" in answer.content
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert answer.headers["x-frame-options"] == "DENY"


def test_designers_who_come_at_once_see_every_page_and_none_is_dropped(served):
    seen = visited(f"http://localhost:{served.port}", "pets", 8, thinks=0.0)
    assert seen.dropped == [] and len(seen.first) == 8 and len(seen.click) == 8 * (len(PAGES) - 1)


def test_a_port_that_is_taken_is_one_line(served):
    said = one_line("view", "--runs", served.runs, "--port", served.port, "--no-browser")
    assert f"cannot listen at localhost:{served.port}: Address already in use; choose another --port" in said


def test_an_address_of_another_machine_is_one_line(tmp_path):
    said = one_line("view", "--runs", tmp_path, "--address", "203.0.113.7", "--no-browser")
    assert "cannot listen at 203.0.113.7:8501" in said
    assert "expected a name or an address" in one_line("view", "--runs", tmp_path, "--address", "no such host")


def test_without_a_port_the_next_free_one_is_taken():
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first = free_port("127.0.0.1")
        taken.bind(("127.0.0.1", first))
        taken.listen()
        assert first >= FIRST_PORT and free_port("127.0.0.1") > first


def test_who_may_ask_depends_on_the_address():
    assert hosts_of("localhost") == hosts_of("127.0.0.1") == ["localhost", "127.0.0.1"]
    assert hosts_of("192.0.2.1") == ["localhost", "127.0.0.1", "192.0.2.1"]
    everywhere = hosts_of("0.0.0.0")
    assert socket.gethostname() in everywhere and "*" not in everywhere and "0.0.0.0" not in everywhere


def test_streamlit_knows_every_option():
    typed = command(8501, "localhost", False, ["localhost", "127.0.0.1"])
    options = dict(option.removeprefix("--").split("=", 1) for option in typed[2:])
    from streamlit import config

    assert set(options) <= set(config.get_config_options())
    assert typed.count("--server.allowedHosts=localhost") == typed.count("--server.allowedHosts=127.0.0.1") == 1


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_in_both_themes(colours):
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(colours["textColor"], colours[ground]) > 7
        assert contrast(colours["linkColor"], colours[ground]) > 4.5
    assert contrast("#ffffff", colours["primaryColor"]) > 4.5  # on buttons
    assert contrast(colours["primaryColor"], colours["backgroundColor"]) > 3  # the focus


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    lighter, darker = sorted(map(luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part, 16) / 255 for part in re.findall("[0-9a-f]{2}", colour)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_says_where_it_is_and_ends_with_one_line(tmp_path):
    own = Served(tmp_path)
    own.process.send_signal(signal.SIGINT)
    assert own.process.wait(timeout=60) == 130
    told = own.process.stdout.read()
    lines = told.split("\n")
    assert lines[0].startswith(f"Workbench of {str(own.runs)!r}: http://localhost:{own.port} ")
    assert lines[-2:] == ["Stopped.", ""] and "Traceback" not in told
