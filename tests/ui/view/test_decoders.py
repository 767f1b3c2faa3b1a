"""Another decoder on a concept's page: offered where it fits, remembered for the run, drawing in the background."""

from __future__ import annotations

import json

import pytest

from core.renderers import Look, Rendered
from evolve import Run
from evolve.store.parts import RunError
from tests.families import learned, picture
from tests.pages import page, text
from ui.view import decoders, drawing
from ui.view.decoders import Choice


@pytest.fixture
def real(tmp_path, monkeypatch, backbone) -> Run:
    """Two founders on the tiny stack, whose image embeddings are 16 wide."""
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    made = Run.create(tmp_path / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(2)])
    made.add_drawings([(each.id, "a photo of a {}", 1, picture(n)) for n, each in enumerate(made.entries())])
    return made


@pytest.fixture
def begun(monkeypatch) -> list[list[str]]:
    """The commands of drawing processes, which go on for ever."""
    commands: list[list[str]] = []

    class Process:
        returncode = None

        def __init__(self, command, **rest):
            commands.append(command)

        def poll(self):
            return None

        def wait(self):
            return None

    monkeypatch.setattr(drawing, "_errands", {})
    monkeypatch.setattr(drawing.subprocess, "Popen", Process)
    return commands


@pytest.fixture
def fits(monkeypatch):
    monkeypatch.setattr(decoders, "WIDTHS", {"sdxl": 16, "karlo": 16, "flux": 768})


def shown(run):
    app = page("concept", run="pets", concept=run.entries()[0].id).run()
    assert not app.exception
    return app


KEY = "concept.decoder.pets"


def test_no_decoder_is_offered_where_none_fits(real):
    assert not [each for each in shown(real).selectbox if each.key == KEY]
    assert decoders.fitting(1280) == ["sdxl"] and decoders.fitting(768) == ["karlo", "unclip-small", "flux"]


def test_another_decoder_draws_in_the_background_and_is_remembered(real, begun, fits):
    app = shown(real)
    assert app.selectbox(key=KEY).options == ["The stack's own", "SDXL, IP-Adapter", "Karlo"]
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    app.selectbox(key=KEY).set_value("sdxl").run()
    app.text_input(key=f"{KEY}.text").set_value("a {} in the snow; rm -rf")
    app.number_input(key=f"{KEY}.scale").set_value(0.5)
    app.button(key="concept.draw").click().run()
    assert not app.exception and "You can keep working" in text(app)
    (command,) = begun
    options = ["--decoder=sdxl", "--text=a {} in the snow; rm -rf", "--scale=0.5"]
    assert [each for each in command if each in options] == options and "--prompt=a sketch of a {}" in command
    assert command[-3:] == ["--", "pets", real.entries()[0].id] and not real.renderings()
    assert decoders.remembered(real.folder) == Choice("sdxl", "a {} in the snow; rm -rf", 0.5)
    again = shown(real)
    assert again.selectbox(key=KEY).value == "sdxl" and again.number_input(key=f"{KEY}.scale").value == 0.5
    again.selectbox(key=KEY).set_value("karlo").run()
    assert not [each for each in again.text_input if each.key == f"{KEY}.text"], "Karlo's text is always empty"


def test_the_stack_s_own_is_chosen_again(real, begun, fits):
    decoders.remember(real.folder, Choice("sdxl"))
    app = shown(real)
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    app.selectbox(key=KEY).set_value(decoders.OWN).run()
    app.button(key="concept.draw").click().run(timeout=120)
    assert not app.exception and not begun and decoders.remembered(real.folder) == Choice()
    assert [d.prompt for d in real.drawings(real.entries()[0].id)] == ["a photo of a {}", "a sketch of a {}"]


def test_text_and_scale_are_remembered_while_another_decoder_draws(real, begun, fits):
    decoders.remember(real.folder, Choice("sdxl", "a {} in the snow", 0.5))
    app = shown(real)
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    for decoder in ("karlo", decoders.OWN):
        app.selectbox(key=KEY).set_value(decoder).run()
        app.button(key="concept.draw").click().run(timeout=120)
        assert not app.exception
        assert decoders.remembered(real.folder) == Choice(decoder, "a {} in the snow", 0.5)
    (command,) = begun
    assert "--decoder=karlo" in command and not [each for each in command if each.startswith(("--text", "--scale"))]
    app = shown(real)
    app.selectbox(key=KEY).set_value("sdxl").run()
    assert app.text_input(key=f"{KEY}.text").value == "a {} in the snow"


def test_a_concept_that_cannot_be_read_has_no_other_decoders(real, fits, monkeypatch):
    def torn(found, id_):
        raise RunError("its part is torn")

    monkeypatch.setattr("ui.view.store.individual", torn)
    assert not [each for each in shown(real).selectbox if each.key == KEY]


def test_a_wrong_prompt_is_told(real, begun, fits):
    app = shown(real)
    app.selectbox(key=KEY).set_value("sdxl").run()
    app.text_input(key="concept.prompt").set_value("a dog")
    app.button(key="concept.draw").click().run()
    assert not begun and "where the concept stands" in text(app)


def test_a_checkpoint_that_was_typed_is_offered_again(real, begun):
    decoders.remember(real.folder, Choice("some/sdxl-checkpoint"))
    app = shown(real)
    assert app.selectbox(key=KEY).value == "some/sdxl-checkpoint"
    assert app.selectbox(key=KEY).options == ["The stack's own", "some/sdxl-checkpoint"]


def test_their_drawings_stand_beside_the_stack_s_own_and_nowhere_else(real):
    each, other = real.entries()
    how = Rendered("sdxl", "some/sdxl@c0ffee", look=Look("a pet", 0.8, 30, 5.0, 1024))
    real.add_renderings([(each.id, "a photo of a {}", 1, picture(7), how)])
    app = shown(real)
    assert f"a photo of a {each.name}, seed 1" in text(app), "the first is the stack's own"
    (made,) = real.renderings()
    app.session_state[f"concept.drawings.pets.{each.id}"] = {"selected": [made.file.stem]}
    app.run()
    assert f"a photo of a {each.name}, seed 1, sdxl, text a pet, scale 0.8" in text(app)
    made.file.unlink()
    app = shown(real)
    app.session_state[f"concept.drawings.pets.{each.id}"] = {"selected": [made.file.stem]}
    app.run()
    assert "is missing" in text(app) and not [b for b in app.button if b.key == "concept.mend"]
    assert [d.concept for d in real.drawings()] == [each.id, other.id]


@pytest.mark.parametrize(
    "told",
    [
        "",
        "[]",
        "{",
        json.dumps({"decoder": "sdxl"}),
        json.dumps({"decoder": 3, "text": "", "scale": None}),
        json.dumps({"decoder": "a\nb", "text": "", "scale": None}),
        json.dumps({"decoder": "a" * 301, "text": "", "scale": None}),
        json.dumps({"decoder": "sdxl", "text": "", "scale": "high"}),
    ],
)
def test_a_damaged_choice_is_the_stack_s_own(tmp_path, told):
    (tmp_path / decoders.FILE).write_text(told)
    assert decoders.remembered(tmp_path) == Choice()
    decoders.remember(tmp_path, Choice("flux", "a {}", 1.5))
    assert decoders.remembered(tmp_path) == Choice("flux", "a {}", 1.5)


def test_what_a_decoder_has_not_is_left_out():
    assert Choice("karlo", "a dog", 0.5).options == ("--decoder=karlo",)
    assert Choice("unclip-small", "a dog", 0.5).options == ("--decoder=unclip-small", "--text=a dog")
    assert Choice("some/model", "", 0.5).options == ("--decoder=some/model", "--scale=0.5")
