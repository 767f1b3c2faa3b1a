"""`python -m training.card`: measures the embedded stack; writes CARD.md, its sheet held-out.webp and figures.json.

Figures of inventions come from `make inventions`, which leaves them in inventions.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from core.emoji.judge import Judge
from core.errors import ConceptreeError
from core.stack.backbone import EMOJI, Backbone
from training.exam import Exam, measure
from training.render import render
from training.report import CARD, read_inventions, write_card
from training.train import cache_folder

QUICK = 4  # of the pictures one in so many


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.card", description=__doc__)
    parser.add_argument("--weights", type=Path, help="measure another stack of this layout; write its figures, no card")
    parser.add_argument("--sheet", type=Path, help="file for the sheet; figures.json goes beside it (core/emoji)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (auto)")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch (its own choice)")
    parser.add_argument("--quick", action="store_true", help="use a quarter of the pictures; write no card")
    parser.add_argument("--figures-only", action="store_true", help="print the figures; write nothing")
    parser.add_argument("--again", action="store_true", help="write the card from the stored figures.json")
    arguments = parser.parse_args(given)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    weights = arguments.weights or EMOJI
    sheet = arguments.sheet or (Path("held-out.webp") if arguments.weights else CARD.with_name("held-out.webp"))
    kept = sheet.with_name("figures.json")
    try:
        backbone = Backbone.load(str(arguments.weights) if arguments.weights else "emoji", arguments.device)
        judge = Judge.load(weights / "judge")
        if arguments.again:
            figures = _measured_before(kept, backbone)
        else:
            exam = Exam(backbone, judge, cache_folder(), weights / "vqa", QUICK if arguments.quick else 1)
            writes = not arguments.figures_only
            sheet.parent.mkdir(parents=True, exist_ok=True)
            figures = measure(exam, sheet if writes else None, kept if writes else None)
        if not (arguments.weights or arguments.figures_only or arguments.quick):
            inventions = read_inventions(CARD.with_name("inventions.json"), backbone)
            write_card(render(cache_folder()), backbone, judge, figures, inventions)
    except (ConceptreeError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measured_before(kept: Path, backbone: Backbone) -> dict[str, float]:
    """The figures in `kept`.

    Raises:
        ConceptreeError: they are of another stack, or of a quarter of the pictures.
    """
    about = json.loads(kept.read_text(encoding="utf-8"))
    if about["every"] > 1 or about["fingerprint"] != backbone.fingerprint:
        raise ConceptreeError(
            f"{str(kept)!r} has figures of another stack or of a quarter of the pictures: measure without --again"
        )
    return about["figures"]


if __name__ == "__main__":
    raise SystemExit(main())
