"""Previews of mixtures: drawn when they are asked for by their weights, and kept."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from types import SimpleNamespace

import anyio
import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import StackError
from core.stack.backbone import Backbone
from evolve.mixtures import mixture
from ui.view import preview
from ui.view.preview import FRAMES, SEED, STEPS, Mix, cells_of, pictures, remember


@pytest.fixture(autouse=True)
def forgetful(monkeypatch) -> None:
    """Nothing is kept from other tests."""
    preview._answers.clear()
    preview._mixes.clear()


@pytest.fixture
def embeds(backbone) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=backbone.width) for _ in range(3))


@pytest.fixture
def mix(backbone, embeds) -> Mix:
    return Mix(backbone, embeds[:2])


def opened(content: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(content))
    assert found.format == "WEBP"
    return found


def ask(key: str, cells: str, fine: str = ""):
    query = {"fine": fine} if fine else {}
    return anyio.run(preview.serve, SimpleNamespace(path_params={"key": key, "cells": cells}, query_params=query))


def test_a_cell_is_the_mean_of_its_parents_in_a_few_steps(mix, backbone, embeds):
    (drawn,) = mix.draw(((75, 25),), fine=False)
    by_hand = torch.from_numpy(mixture(embeds[:2], [75, 25]))[None]
    assert drawn.tobytes() == backbone.draw(by_hand, SEED, steps=STEPS)[0].tobytes()
    (fine,) = mix.draw(((75, 25),), fine=True)
    assert fine.tobytes() == backbone.draw(by_hand, SEED)[0].tobytes()


def test_parents_that_repel_and_a_word_are_in_the_mixture(mix, backbone, embeds):
    away = replace(mix, away=((embeds[2], 0.5),), floor=-1.0, push=embeds[0] / 9)
    (drawn,) = away.draw(((50, 50),), fine=False)
    mixed = mixture(embeds[:2], [1, 1], away=[(embeds[2], 0.5)], floor=-1.0, push=embeds[0] / 9)
    assert drawn.tobytes() == backbone.draw(torch.from_numpy(mixed)[None], SEED, steps=STEPS)[0].tobytes()


def test_several_cells_stand_side_by_side_and_are_drawn_once(mix, backbone, monkeypatch):
    drawn = []
    draw = backbone.draw
    monkeypatch.setattr(backbone, "draw", lambda *args, **options: drawn.append(1) or draw(*args, **options))
    key, side = remember(mix), backbone.drawing["size"]
    first = ask(key, "100-0_50-50_0-100")
    assert opened(first.body).size == (3 * side, side) and "immutable" in first.headers["cache-control"]
    assert ask(remember(Mix(backbone, mix.embeds)), "100-0_50-50_0-100").body == first.body
    assert len(drawn) == 1
    assert opened(ask(key, "50-50", "1").body).size == (side, side)
    assert len(drawn) == 2


def test_a_key_depends_on_everything_that_is_drawn(mix, backbone, embeds):
    others = [
        replace(mix, embeds=embeds[1::-1]),
        replace(mix, embeds=embeds),
        replace(mix, away=((embeds[2], 0.5),)),
        replace(mix, away=((embeds[2], 0.6),)),
        replace(mix, away=((embeds[2], 0.5),), floor=0.5),
        replace(mix, push=embeds[2]),
    ]
    keys = [mix.key, *(each.key for each in others)]
    assert len(set(keys)) == len(keys) and mix.key == Mix(backbone, embeds[:2]).key
    assert all(len(key) == 24 and int(key, 16) for key in keys)


@pytest.mark.parametrize("name", ["VERSION", "STEPS", "SLOW_STEPS", "SEED", "SIDE", "FINE_SIDE", "FRAMES"])
def test_a_key_depends_on_how_pictures_are_drawn(mix, monkeypatch, name):
    before = mix.key
    monkeypatch.setattr(preview, name, getattr(preview, name) + 1)
    assert replace(mix).key != before


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones(()), np.full(16, np.nan), np.ones((0, 3))])
def test_embeddings_that_the_stack_cannot_draw_are_refused(mix, embeds, wrong):
    for damaged in ({"embeds": (embeds[0], wrong)}, {"away": ((wrong, 0.5),)}, {"push": wrong}):
        with pytest.raises(StackError, match="reads 16 finite numbers: choose other concepts"):
            replace(mix, **damaged)


def test_previews_that_wait_keep_no_threads_from_others_and_kept_ones_do_not_wait(mix, monkeypatch):
    """Issue: 40 waiting previews took all threads that the server has for pictures."""
    go_on, key, found = threading.Event(), remember(mix), []
    kept = ask(key, "50-50").body
    made = preview._side_by_side
    monkeypatch.setattr(preview, "_side_by_side", lambda *args: go_on.wait(60) and made(*args))

    async def served(cells: str) -> None:
        request = SimpleNamespace(path_params={"key": key, "cells": cells}, query_params={})
        found.append((await preview.serve(request)).body)

    async def all_at_once() -> None:
        async with anyio.create_task_group() as group:
            for share in range(50):
                group.start_soon(served, f"{share}-{100 - share}")
            await anyio.sleep(0.1)
            try:
                with anyio.fail_after(10):
                    assert await anyio.to_thread.run_sync(lambda: "another picture") and not found
                    await served("50-50")
                assert found == [kept]
            finally:
                go_on.set()

    anyio.run(all_at_once)
    assert len(found) == 51


@pytest.mark.parametrize(
    "cells",
    ["", "50", "50-49", "50-51", "50-50-0", "-50-150", "50-50_", "a-b", "50-50/..", "1e1-90", "_".join(["50-50"] * 10)],
)
def test_other_weights_are_no_picture(mix, cells):
    with pytest.raises(ValueError, match="expected weights of 2 parents with the sum 100"):
        cells_of(cells, 2)
    assert ask(remember(mix), cells).status_code == 404


def test_a_mix_of_an_earlier_server_is_no_picture():
    assert ask("0" * 24, "50-50").status_code == 404


def test_a_stack_that_cannot_draw_says_why(mix, backbone, monkeypatch):
    def broken(*args, **options):
        raise StackError("the decoder does not load")

    monkeypatch.setattr(backbone, "draw", broken)
    answer = ask(remember(mix), "50-50")
    assert (answer.status_code, answer.body) == (500, b"the decoder does not load")
    assert answer.headers["cache-control"] == "no-store"


def test_only_the_latest_are_kept(mix, backbone, embeds, monkeypatch):
    monkeypatch.setattr(preview, "MIXES", 2)
    monkeypatch.setattr(preview, "ANSWERS", 2)
    first = remember(mix)
    remember(replace(mix, embeds=embeds))
    assert remember(mix) == first, "it is the latest again"
    remember(replace(mix, push=embeds[2]))
    assert len(preview._mixes) == 2 and first in preview._mixes
    for cells in ("100-0", "50-50", "0-100"):
        pictures(first, cells)
    assert [cells for _, cells, _ in preview._answers] == ["50-50", "0-100"]


def test_mixes_of_stacks_that_were_left_long_ago_are_forgotten(mix, backbone, stack_folder):
    others = [Backbone.load(stack_folder, device="cpu") for _ in range(2)]
    keys = [remember(each) for each in (mix, replace(mix, backbone=others[0], push=np.ones(backbone.width)))]
    assert [*preview._mixes] == keys
    last = remember(replace(mix, backbone=others[1], push=np.zeros(backbone.width)))
    assert [*preview._mixes] == [keys[1], last]


def test_a_morph_goes_from_one_parent_to_the_other(mix, backbone, embeds):
    answer = ask(remember(mix), "morph")
    moving = opened(answer.body)
    assert moving.n_frames == 2 * FRAMES - 2 and "immutable" in answer.headers["cache-control"]
    assert ask(remember(mix), "morph").body == answer.body
    assert ask(remember(replace(mix, embeds=embeds)), "morph").status_code == 404, "three parents"
