"""The documents and their site: every link leads to a file and a heading, and every page is in the navigation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_house import ROOT, relative, tracked
from tools.site_pages import LINK, notebook_page, with_links

DOCUMENTS = [
    path for path in tracked() if path.suffix == ".md" and (path.parent == ROOT or ROOT / "docs" in path.parents)
]
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub, and the site, give the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_link_of_a_document_leads_to_a_file_and_a_heading(path):
    for _, _, target, anchor in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        if ":" in target:
            continue
        led = (path.parent / target).resolve() if target else path
        assert led.exists(), f"{target} is missing"
        assert not anchor or anchor[1:] in anchors(led), f"{target}{anchor}: no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_every_file_of_the_packages_that_a_document_names_exists(path):
    packages = "core|evolve|ui|training|experiments|tools|tests|benchmarks"
    named = re.findall(rf"`((?:{packages})/[\w./-]*)`", path.read_text(encoding="utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_document_is_a_page_of_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    pages = set(re.findall(r": ([\w-]+\.md)$", navigation, re.MULTILINE))
    assert {path.name for path in DOCUMENTS if path.parent == ROOT / "docs"} <= pages


def test_links_work_in_the_site_as_well():
    readme = "[a](docs/models.md#x) ![b](docs/images/tree.webp) [`c`](runs/example) [d](core/emoji/CARD.md) [e](#f)"
    assert with_links(readme, "README.md") == "[a](models.md#x) ![b](images/tree.webp) `c` [d](card.md) [e](#f)"
    page = "[a](../README.md#x) [b](design.md) [c](notebook.ipynb) [d](https://example.org/x.md)"
    expected = "[a](index.md#x) [b](design.md) [c](notebook.md) [d](https://example.org/x.md)"
    assert with_links(page, "docs/models.md") == expected
    assert with_links("[a](../../design.md)", "docs/experiments/table1/summary.md") == "[a](../../design.md)"
    assert with_links("![a](held-out.webp)", "core/emoji/CARD.md") == "![a](held-out.webp)"


def test_a_notebook_is_a_page_with_its_code_and_its_outputs():
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {
            "cell_type": "code",
            "source": ["1 + 1"],
            "outputs": [
                {"text": ["one\n", "two\n"]},
                {"data": {"image/png": "QUJD\n", "text/plain": "<Image>"}},
                {"data": {"text/plain": ["2"]}},
            ],
        },
        {"cell_type": "code", "source": [], "outputs": []},
    ]
    assert notebook_page({"cells": cells}) == (
        "# Title\ntext\n\n````python\n1 + 1\n````\n\n````text\none\ntwo\n````\n\n"
        '<img alt="output of the code above" src="data:image/png;base64,QUJD">\n\n````text\n2\n````\n'
    )


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs", reason="make docs installs mkdocs")
    asked = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        asked, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert built.returncode == 0, built.stderr
    assert "ConceptLab" in (tmp_path / "api-core.html").read_text(encoding="utf-8")
    outside = r'<(?:script|link|img)[^>]*(?:src|href)="?(https?://[^" >]*)'
    assert not {url for page in tmp_path.rglob("*.html") for url in re.findall(outside, page.read_text("utf-8"))}
