"""Devices and precisions are those that are there; others are told in one line."""

from __future__ import annotations

import pytest
import torch

from core.errors import StackError
from core.stack.device import device_named, precision_named


@pytest.mark.parametrize("asked", [None, "auto"])
def test_by_default_it_is_the_best_that_is_there(asked):
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert device_named(asked).type == expected


def test_a_device_by_its_name_or_itself():
    assert device_named("cpu") == device_named(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize(("asked", "said"), [("gpu", "'gpu': choose auto, cpu or cuda"), ("cuda:99", "'cuda:99' here")])
def test_a_device_that_is_not_there(asked, said):
    with pytest.raises(StackError, match=f"there is no device {said}"):
        device_named(asked)


def test_precisions():
    assert precision_named(None) == torch.float32
    assert precision_named("bfloat16") == precision_named(torch.bfloat16) == torch.bfloat16
    with pytest.raises(StackError, match="dtype = 'int8': choose float32, bfloat16, float16"):
        precision_named("int8")
