"""The decoder that a run's concepts are drawn with on their pages, remembered in decoder.json of the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from core.files import StorageError, write_atomically
from core.renderers.widths import WIDTHS

FILE = "decoder.json"  # in the folder of a run; can be deleted
OWN = ""  # the stack's own decoder
LONGEST = 300  # characters of a decoder and of a text
HIGHEST_SCALE = 2.0
_LABELS = {
    "sdxl": "SDXL, IP-Adapter",
    "karlo": "Karlo",
    "unclip-small": "Stable unCLIP, small",
    "flux": "FLUX, IP-Adapter",
}
_TEXTLESS, _SCALELESS = ("karlo",), ("karlo", "unclip-small")


@dataclass(frozen=True)
class Choice:
    """A decoder: OWN, a name, a folder or ORG/NAME. text, scale: as for `conceptree draw`; "" and None for its own."""

    decoder: str = OWN
    text: str = ""
    scale: float | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """As options of `conceptree draw`; what the decoder has not is left out."""
        text = [f"--text={self.text}"] if self.text and self.has_text else []
        scale = [f"--scale={self.scale:g}"] if self.scale is not None and self.has_scale else []
        return (f"--decoder={self.decoder}", *text, *scale)

    @property
    def has_text(self) -> bool:
        """Whether the decoder may have a text: also True for a folder or a repository, which is not opened here."""
        return self.decoder not in (OWN, *_TEXTLESS)

    @property
    def has_scale(self) -> bool:
        return self.decoder not in (OWN, *_SCALELESS)


def fitting(width: int) -> list[str]:
    """The names of decoders that read image embeddings of that width."""
    return [name for name, reads in WIDTHS.items() if reads == width]


def label(decoder: str) -> str:
    """A decoder for people."""
    return _LABELS.get(decoder, decoder) if decoder != OWN else "The stack's own"


def remembered(folder: Path) -> Choice:
    """The run's choice; the stack's own decoder if there is no file, or it cannot be read."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        decoder, text, scale = told["decoder"], told["text"], told["scale"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Choice()
    texts: Sequence[object] = (decoder, text)
    if not all(isinstance(each, str) and len(each) <= LONGEST and each.isprintable() for each in texts):
        return Choice()
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, int | float)):
        return Choice()
    return Choice(decoder, text, None if scale is None or not 0 <= scale <= HIGHEST_SCALE else float(scale))


def remember(folder: Path, choice: Choice) -> None:
    """Store the run's choice; a run that cannot be written goes without."""
    with suppress(StorageError):
        write_atomically(folder / FILE, json.dumps(asdict(choice)).encode(), within=folder)
