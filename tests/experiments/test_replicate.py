"""docs/replicate.md: its commands are accepted as they stand there, and what they print is what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from core.namers import from_function
from core.stack.backbone import Backbone
from experiments.commands import experiment
from experiments.cost import H100, QUESTION, UNET, step_starts
from tests import typed
from tests.diffusion import save_prior_21, save_sd
from tests.protocols import AnyJudge
from tests.stacks import decoder_pipeline

PAGE = (Path(__file__).parents[2] / "docs" / "replicate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SAID = {line for block in re.findall(r"^```text\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()}
COMMAND = ".venv/bin/python"


def commands():
    """The arguments of each `python -m experiments` of the page, as a shell reads them."""
    script = "\n".join(block for block in BLOCKS if not block.startswith(("git", "tar")))
    script = script.replace(COMMAND, "told")
    told = "told() { printf '%s\\0' \"$@\"; printf '\\n'; }\n"
    ended = subprocess.run(["bash", "-eu", "-c", told + script], capture_output=True, text=True, check=True)
    for line in ended.stdout.splitlines():
        module, name, *arguments = line.split("\0")[:-1]
        assert (module, name) == ("-m", "experiments")
        yield arguments


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Small models in place of the page's."""
    folder = tmp_path_factory.mktemp("models")
    save_prior_21(folder / "stack" / "prior", width=16)
    decoder_pipeline(16, None, "2.1").save_pretrained(folder / "stack" / "decoder")
    return {
        "kandinsky-2.1": folder / "stack",
        "stabilityai/stable-diffusion-2": save_sd(folder / "sd"),
        "cuda": "cpu",
        "float16": "float32",
    }


def test_the_page_has_the_papers_experiments():
    dry = [each for each in COMMANDS if "--dry-run" in each]
    assert [each[0] for each in dry] == ["figure11", "table1"]
    for each in dry:
        assert [each[each.index(name) + 1] for name in ("--model", "--preset")] == ["kandinsky-2.1", "paper"]
    pairs = [value for name, value in zip(dry[0], dry[0][1:], strict=False) if name == "--pair"]
    assert len(set(pairs)) == 15 and {"pet:cat,dog", "furniture:closet,bed"} <= set(pairs)
    assert sorted({pair.split(":")[0] for pair in pairs}) == [
        "fruit",
        "furniture",
        "musical instrument",
        "pet",
        "plant",
    ]


def test_the_page_gives_the_counts_that_hours_follow_from():
    step = step_starts(12, 20, 5)
    for count in (step, UNET, 50 * UNET, *QUESTION):
        assert f"{count:,}" in PAGE


@pytest.mark.parametrize("arguments", COMMANDS[:-1], ids=lambda each: each[0])
def test_a_command_is_accepted_and_takes_what_the_page_says(arguments, folders, tmp_path, monkeypatch):
    class Judge(AnyJudge):
        categories = Backbone.load("emoji").vocabulary.categories

    blip2 = from_function(lambda images, question: [[("cat", 1.0)] for _ in images])
    monkeypatch.setattr("experiments.run.open_judge", lambda backbone: Judge())
    monkeypatch.setattr("experiments.run.namer_of", lambda backbone: blip2)
    monkeypatch.setattr(H100, "of", lambda stack: H100(step_starts(12, 20, 5), 50 * UNET))  # of Kandinsky 2.1
    given = [str(folders.get(each, each)) for each in arguments]
    given[given.index("--to") + 1] = str(tmp_path / "to")
    result = typed.run(*given, *([] if "--dry-run" in given else ["--dry-run"]), command=experiment)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if line.startswith(("To do", "On "))]
    assert len(lines) == 3 and lines[0] in SAID
    if "--dry-run" in arguments:
        assert set(lines) <= SAID
    assert not (tmp_path / "to").exists()


def test_the_last_command_makes_the_summary_of_a_table_alone(tmp_path, monkeypatch):
    assert COMMANDS[-1] == ["figure11", "--to", "docs/experiments/figure11-kandinsky-2.1"]
    monkeypatch.setattr("experiments.run.open_stack", lambda *_: pytest.fail("no model is needed"))
    there = Path(__file__).parents[2] / "docs" / "experiments" / "figure11"
    for name in ("results.parquet", "experiment.json"):
        (tmp_path / name).write_bytes((there / name).read_bytes())
    typed.good("figure11", "--to", tmp_path, command=experiment)
    assert (tmp_path / "summary.md").read_text() == (there / "summary.md").read_text()


def test_the_archive_has_the_table_and_not_the_drawings(tmp_path):
    folder = tmp_path / "results" / "figure11-kandinsky-2.1"
    for name in ("results.parquet", "summary.md", "cases/a.parquet", "runs/pet/run.json", ".experiment.json.lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (command,) = [block for block in BLOCKS if block.startswith("tar")]
    subprocess.run(["bash", "-eu", "-c", command], cwd=tmp_path, check=True)
    listed = subprocess.run(
        ["tar", "tzf", "figure11-kandinsky-2.1.tar.gz"], cwd=tmp_path, capture_output=True, text=True
    )
    files = {line.partition("/")[2] for line in listed.stdout.splitlines()} - {""}
    assert files == {"results.parquet", "summary.md"}
