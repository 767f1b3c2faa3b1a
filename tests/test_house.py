"""The house keeps its rules: imports point one way, nothing names the machine it was made on, and it stays small."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import subprocess
import tomllib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import pytest
from hypothesis import HealthCheck, settings

from tests.conftest import pytest_collection_modifyitems

ROOT = Path(__file__).parents[1]
OUTSIDE = {"training", "experiments", "tests", "benchmarks", "tools"}  # run from a checkout, and imported by no user
FORBIDDEN = {"core": {"evolve", "ui", *OUTSIDE}, "evolve": {"ui", *OUTSIDE}, "ui": OUTSIDE}
FORBIDDEN["training"] = {"experiments", "ui", "tests", "benchmarks", "tools"}
FORBIDDEN["experiments"] = {"training", "tests", "benchmarks", "tools"}
MB = 1e6


def imported_packages(source: str, package: str) -> Iterator[str]:
    """Top-level packages that a module of `package` imports, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0] if node.module and not node.level else package


@cache
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    return [path for path in paths if path.is_file()]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package):
    wrong = [
        f"{relative(path)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imported_packages(path.read_text(encoding="utf-8"), package)
        if name in FORBIDDEN[package]
    ]
    assert not wrong


def test_an_import_inside_a_function_counts_too():
    source = (
        "def f():\n    if True:\n        from evolve.x import Run\n    import ui.cli as c, json\n    from . import y"
    )
    assert sorted(imported_packages(source, "core")) == ["core", "evolve", "json", "ui"]


def imported_modules(path: Path, known: Collection[str]) -> Iterator[str]:
    """Modules that a file imports when it is imported, not inside functions and not for type checkers."""
    nodes = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else node.module for name in inside)
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)) and not isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef
        ):
            nodes += [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)]


@cache
def imports() -> list[tuple[str, str]]:
    """Pairs (module, module that it imports) of all packages."""
    packages = ("core", "evolve", "ui", "training", "experiments")
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in (ROOT / package).rglob("*.py")
    }
    found = ((name, imported) for name, path in paths.items() for imported in imported_modules(path, paths))
    return [(name, imported) for name, imported in found if imported in paths]


def siblings(one: str, other: str) -> tuple[str, str]:
    """The two parts, modules or whole packages, of the innermost package that holds both modules."""
    ones, others = one.split("."), other.split(".")
    differ = (place for place, names in enumerate(zip(ones, others, strict=False)) if names[0] != names[1])
    shared = next(differ, min(len(ones), len(others)))
    return ".".join(ones[: shared + 1]), ".".join(others[: shared + 1])


def circles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    return [sorted(each) for each in nx.strongly_connected_components(nx.DiGraph(edges)) if len(each) > 1]


def test_modules_form_no_circle():
    assert not circles(imports()) and all(one != other for one, other in imports())


def test_packages_form_no_circle():
    """A package counts as one part of the package around it."""
    parts = (siblings(*each) for each in imports())
    assert not circles((one, other) for one, other in parts if one != other)


def test_a_circle_of_packages_is_noticed():
    assert siblings("evolve.store.check", "evolve.family.tree") == ("evolve.store", "evolve.family")
    assert siblings("core", "core.errors") == ("core", "core.errors")
    edges = [("core.step", "core.stack.text"), ("core.stack.text", "core.errors"), ("core.errors", "core.step")]
    assert not circles(edges[:2])
    assert circles([siblings(*each) for each in edges]) == [["core.errors", "core.stack", "core.step"]]


def test_no_tracked_file_names_a_machine_or_a_registry():
    """Saved configurations and lock files like to carry both along."""
    hosts = ["pypi.org", "pythonhosted.org", "npmjs.org", "npmjs.com", "download.pytorch.org", "deb.debian.org"]
    homes = [b"work", b"root", b"home", b"Users"]
    names = [
        *(re.escape(host.encode()) for host in hosts),
        rb"(?<![\w.])/(?:" + b"|".join(homes) + rb")/\w",
        rb"\.\./shared",
    ]
    if len(ROOT.parts) > 2:
        names.append(re.escape(os.fsencode(ROOT)))
    pattern = re.compile(b"|".join(names))
    found = [
        f"{relative(path)}: {match.group().decode(errors='replace')}"
        for path in tracked()
        if path != Path(__file__) and (match := pattern.search(path.read_bytes()))
    ]
    assert not found


def test_the_repository_stays_small():
    sizes = {relative(path): path.stat().st_size / MB for path in tracked()}
    weights = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
    assert weights < 30, f"weights: {weights:.1f} MB"
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:5]
    assert sum(sizes.values()) < 40, largest
    assert largest[0][1] < 15, largest
    documents = sum(size for name, size in sizes.items() if name.startswith("docs/"))
    assert documents < 5, f"docs: {documents:.1f} MB; are cases of experiments or PNG sheets among them?"


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_requirements_are_lower_bounds_and_every_one_is_pinned_in_the_constraints():
    described = project()["project"]
    requirements = [*described["dependencies"], *chain.from_iterable(described["optional-dependencies"].values())]
    pins = re.findall(r"^([\w.-]+)==\S+$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    for requirement in requirements:
        assert re.fullmatch(r"[\w.-]+>=[\d.]+", requirement)
        assert requirement.split(">=")[0] in pins


def test_an_installed_package_would_hold_every_data_file():
    patterns = project()["tool"]["setuptools"]["package-data"]
    left_behind = [
        relative(path)
        for path in tracked()
        for package in [relative(path).split("/")[0]]
        if package in ("core", "evolve", "ui") and path.suffix != ".py"
        if not any(fnmatch.fnmatch("/" + relative(path), "*" + p.removeprefix("**")) for p in patterns.get(package, []))
    ]
    assert not left_behind


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*?## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_make_alone_lists_what_a_person_does_here():
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in make_targets():
        assert re.search(rf"^  make {target} +\S", listed, re.MULTILINE)
    assert {"demo", "test", "lint", "bench", "mutants", "train-emoji", "card"} <= make_targets()


def test_every_make_command_that_the_documents_name_exists():
    documents = [path for path in tracked() if path.suffix == ".md" and path.parts[-2:-1] != ("weights",)]
    for path in documents:
        for command in re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert command in make_targets(), f"{relative(path)} names make {command}"


@pytest.mark.parametrize(
    ("slow", "marked", "arguments", "left"),
    [
        (False, "not browser", ["tests"], ["quick"]),
        (True, "not browser", ["tests"], ["quick", "slow"]),
        (False, "slow", ["tests"], ["quick", "slow"]),
        (False, "not browser", ["tests/test_a.py::test_slow"], ["quick", "slow"]),
    ],
)
def test_slow_tests_run_when_they_are_asked_for_or_named(slow, marked, arguments, left):
    left_out = []
    hook = SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
    given = {"--slow": slow, "markexpr": marked}
    items = [SimpleNamespace(name=name, get_closest_marker=name.__eq__) for name in ("quick", "slow")]
    pytest_collection_modifyitems(SimpleNamespace(getoption=given.get, args=arguments, hook=hook), items)
    assert [each.name for each in items] == left and len(left_out) == 2 - len(left)


def test_no_generated_example_has_a_time_limit():
    """Under load any of them may take long."""
    assert settings.default.deadline is None and HealthCheck.too_slow in settings.default.suppress_health_check
    tests = (ROOT / "tests").rglob("*.py")
    assert [relative(path) for path in tests if re.search(r"deadline=\d", path.read_text(encoding="utf-8"))] == []


def test_the_readme_leads_with_two_commands_and_ci_runs_the_second():
    commands = re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert commands[:2] == ["demo", "test"]
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[-3:-1] == ["make lint", "make test ARGS=--slow"] and lines[-1].startswith("make test-browser")
