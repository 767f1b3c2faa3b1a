"""Filters of the gallery that a person has named, in filters.json beside the runs (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import ConceptreeError
from core.texts import checked_label, fault, folded
from evolve.store.beside import Shelf
from ui.view.undo import Turn

LONGEST_NAME = 40  # characters
LONGEST_TEXT = 500  # of a value
MOST = 100  # filters; values of one field
# Fields of a filter with the type of their values; the gallery's widgets have the same names.
ONE = ("shown", "text", "sort", "prompt", "board")
SEVERAL = {"flags": str, "generations": int, "births": str, "tags": str}


class FilterError(ConceptreeError):
    """A saved filter cannot be read or stored."""


@dataclass(frozen=True)
class Saved:
    """A named filter. values: by the fields `ONE` and `SEVERAL`, and `all`, whether it shows all runs."""

    name: str
    values: Mapping[str, Any]


_SHELF = Shelf("filters", MOST, FilterError)


def saved(runs: Path) -> list[Saved]:
    """All filters, in the order in which they were saved.

    Raises:
        FilterError: filters.json is damaged, or of a newer version.
    """
    found: dict[str, Saved] = {}
    for number, row in enumerate(_SHELF.rows(runs), 1):
        try:
            each = Saved(_name(row.get("name")), _values(row.get("values")))
        except FilterError as error:
            raise _SHELF.damaged(runs, f"its filter {number} is damaged ({error})") from error
        found.setdefault(folded(each.name), each)
    return list(found.values())


def save(runs: Path, name: str, values: Mapping[str, Any]) -> Turn:
    """Save a filter; one of the same name is replaced. Returns the step that takes this back."""
    return _put(runs, _name(name), Saved(_name(name), _values(dict(values))))


def remove(runs: Path, name: str) -> Turn:
    """Remove a filter. Returns the step that takes this back."""
    return _put(runs, name, None)


def _put(runs: Path, name: str, new: Saved | None) -> Turn:
    with _SHELF.changing(runs):
        there = {folded(each.name): each for each in saved(runs)}
        before = there.pop(folded(name), None) if new is None else there.get(folded(name))
        if new is not None:
            there[folded(name)] = new
        _SHELF.write(runs, [{"name": each.name, "values": dict(each.values)} for each in there.values()])
    return lambda: _put(runs, name, before)


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise FilterError("it has no name")
    return checked_label(name, "filter", LONGEST_NAME, error=FilterError)


def _values(told: object) -> dict[str, Any]:
    """The values, checked; unknown fields are left out, since a later version may have more."""
    if not isinstance(told, dict):
        raise FilterError("it has no values")
    found: dict[str, Any] = {"all": told.get("all") is True}
    for field in ONE:
        found[field] = _text(told.get(field, ""))
    for field, kind in SEVERAL.items():
        values = told.get(field, [])
        if not isinstance(values, list) or len(values) > MOST or not all(type(each) is kind for each in values):
            raise FilterError(f"its {field} are not a list of at most {MOST} values")
        found[field] = [_text(each) if kind is str else each for each in values]
    return found


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or fault(value):
        raise FilterError(f"{str(value)[:40]!r} is no text of at most {LONGEST_TEXT} characters on one line")
    return value
