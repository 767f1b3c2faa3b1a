"""Parts are loaded once, when they are first asked for; what does not load is told in one line."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import RLock

import torch

from core.stack.loading import load_failure, part_of, quietly


class Stack:
    def __init__(self):
        self.loading, self.turns, self.device, self.loads = RLock(), None, torch.device("cpu"), 0

    @part_of("learn")
    def prior(self):
        """The prior."""
        self.loads += 1
        time.sleep(0.05)  # as a file takes, so that others ask meanwhile
        return torch.nn.Linear(2, 2)


def test_a_part_is_loaded_once_whoever_asks():
    stack = Stack()
    assert not stack.loads and Stack.prior.__doc__ == "The prior."
    with ThreadPoolExecutor(8) as pages:
        found = list(pages.map(lambda _: stack.prior, range(32)))
    assert stack.loads == 1 and len({id(each) for each in found}) == 1


def test_another_model_can_stand_in_for_a_part():
    stack, other = Stack(), torch.nn.Identity()
    stack.prior = other
    assert stack.prior is other and not stack.loads


def test_a_failure_is_one_line_and_names_the_damaged_file(tmp_path):
    assert load_failure(ValueError("first\nsecond"), tmp_path) == "first"
    assert load_failure(ValueError(), tmp_path) == "ValueError"
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    said = load_failure(ValueError("no file's name"), tmp_path)
    assert f"{tmp_path / 'model.safetensors'} is damaged" in said and "\n" not in said


def test_libraries_are_quiet_while_they_load_and_as_before_after_it():
    from transformers.utils import logging

    logging.enable_progress_bar()
    with quietly():
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled()
