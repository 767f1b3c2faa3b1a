"""Commands under the names they had in earlier versions: each is rewritten as a command of today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

_FLAGS = {"--offload", "--json", "--help", "-h"}  # options of old commands that take no value
_GRAPHS = (".graphml", ".dot", ".json", ".gexf")


@dataclass(frozen=True)
class Old:
    """usage: of the command of today. rewrite: the arguments of the old command → those of today's."""

    usage: str
    rewrite: Callable[[Sequence[str]], list[str]]


def _apart(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """(words, options with their values)"""
    words: list[str] = []
    options: list[str] = []
    rest = list(arguments)
    while rest:
        each = rest.pop(0)
        if not each.startswith("-"):
            words.append(each)
            continue
        options.append(each)
        if rest and each not in _FLAGS and "=" not in each:
            options.append(rest.pop(0))
    return words, options


def _vary(arguments: Sequence[str]) -> list[str]:
    words, options = _apart(arguments)
    return ["breed", *words[:1], *_each("--parent", words[1:]), "--mutate", *options]


def _choose(arguments: Sequence[str]) -> list[str]:
    words, options = _apart(arguments)
    return ["resume", *words[:1], *_each("--parent", words[1:]), *options]


def _name(arguments: Sequence[str]) -> list[str]:
    words, options = _apart(arguments)
    return ["note", *words[:2], *_each("--name", words[2:3]), *words[3:], *options]


def _lineage(arguments: Sequence[str]) -> list[str]:
    _, options = _apart(arguments)
    to = options[options.index("--to") + 1] if "--to" in options[:-1] else ""
    known = PurePath(to).suffix.lower() in _GRAPHS or any(each.startswith("--format") for each in options)
    return ["tree", *([] if known else ["--format", "graphml"]), *arguments]


def _each(option: str, words: Sequence[str]) -> list[str]:
    return [text for word in words for text in (option, word)]


def old_of(arguments: Sequence[str]) -> Old | None:
    """The command of an earlier version that these arguments spell; None for those of today."""
    if arguments[:1] == ["map"] and len(_apart(arguments[1:])[0]) > 2:  # RUN NAME NAME
        return MIXTURES
    return OLD.get(arguments[0]) if arguments else None


MIXTURES = Old("mixtures RUN NAME NAME", lambda arguments: ["mixtures", *arguments])
OLD = {
    "vary": Old("breed RUN --parent NAME --mutate", _vary),
    "choose": Old("resume RUN --parent NAME --parent NAME", _choose),
    "mark": Old("note RUN NAME...", lambda arguments: ["note", *arguments]),
    "name": Old("note RUN NAME --name NEW", _name),
    "lineage": Old("tree RUN --format graphml", _lineage),
    "models": Old("doctor --models", lambda arguments: ["doctor", "--models", *arguments]),
    "share": Old("export RUN NAME... --format family", lambda arguments: ["export", "--format", "family", *arguments]),
    "adopt": Old("import FILE", lambda arguments: ["import", *arguments]),
}
