"""Of whom a concept is a child: shares, whatever weights were given."""

from __future__ import annotations

import pytest

from ui.descent import mixed


@pytest.mark.parametrize(
    ("parents", "told"),
    [
        ([], ""),
        ([("moku", 0.3)], "moku"),
        ([("moku", 7), ("vasi", 3)], "0.7 moku + 0.3 vasi"),
        ([("moku", 1), ("vasi", 1), ("buso", 1)], "0.33 moku + 0.33 vasi + 0.33 buso"),
        ([("moku", 0), ("vasi", 0)], "0 moku + 0 vasi"),
    ],
)
def test_parents_are_told_by_their_shares(parents, told):
    assert mixed(parents) == told
