"""Shared fixtures: small random stacks, saved once per test run in diffusers' format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

# No test may reach for a network, whatever a library would like to look up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Beside each other (pytest -n), tests and the commands that they start take one core each.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

from core.stack.backbone import Backbone
from tests.stacks import save_stack

# No test may depend on a clock: on a busy machine any example may take long.
settings.register_profile("slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("slow"), max_examples=30)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well, as CI does")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("slow" if config.getoption("--slow") else "quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests, unless --slow or -m asks for them or a test is named."""
    named = any("::" in argument for argument in config.args)
    if config.getoption("--slow") or named or "slow" in config.getoption("markexpr"):
        return
    slow = [each for each in items if each.get_closest_marker("slow")]
    items[:] = [each for each in items if not each.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)


@pytest.fixture(scope="session", autouse=True)
def unflushed() -> Iterator[None]:
    """Do not wait for the disk: no test is about a power failure, and thousands of small files are written."""
    with mock.patch("os.fsync", lambda descriptor: None):
        yield


@pytest.fixture(autouse=True)
def threads():
    """Restore the number of threads, because it changes the last bits of later results."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory) -> Path:
    """A whole tiny stack on disk."""
    return save_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="session")
def backbone(stack_folder) -> Backbone:
    """The tiny stack, float32."""
    return Backbone.load(stack_folder, device="cpu")


@pytest.fixture(scope="session")
def backbone64(stack_folder) -> Backbone:
    """The tiny stack in float64, for what must be equal up to rounding."""
    return Backbone.load(stack_folder, device="cpu", dtype=torch.float64)
