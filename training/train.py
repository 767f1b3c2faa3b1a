"""`python -m training.train`: builds the embedded stack from the registries' packages, stage by stage.

Each stage writes checkpoints, logs its losses, and goes on where it was stopped. Without arguments all stages run
in order, the stack is put together in core/emoji/weights/, and its caps and floors are measured. Stages that are named
build on the committed weights of the others: `decoder assemble calibrate` gives the decoder more hours, and no other.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import torch

from core.errors import ConceptreeError

STAGES = ("autoencoder", "teacher", "tower", "text", "prior", "decoder", "polish", "vqa", "judge")


def cache_folder() -> Path:
    """Downloads, renderings and checkpoints: outside the repository, so that a fresh checkout finds them again."""
    return Path(os.environ.get("CONCEPTREE_CACHE", Path.home() / ".cache" / "conceptree")) / "emoji"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = (*STAGES, "assemble", "calibrate")
    parser.add_argument("stages", nargs="*", help=f"of {', '.join(steps)}; all of them by default")
    parser.add_argument("--effort", type=float, default=1.0, help="scales the steps of each stage (1)")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="time for all stages together, instead of steps; without calibrate"
    )
    parser.add_argument("--device", default="auto", help="cpu or cuda; by default cuda where there is one")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch (its own choice)")
    parser.add_argument("--from-scratch", action="store_true", help="do not begin with the committed weights")
    parser.add_argument("--to", type=Path, help="where to put the stack together (core/emoji/weights)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.stages if name not in steps]
    if unknown:
        parser.error(f"unknown stage {unknown[0]!r}: choose from {', '.join(steps)}")
    began = time.monotonic()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = arguments.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        torch.set_float32_matmul_precision("high")
    from core import calibration
    from core.stack.backbone import EMOJI
    from training.assemble import assemble
    from training.stages import TRAIN
    from training.workshop import Workshop

    shop = Workshop(
        cache_folder(),
        effort=arguments.effort,
        from_scratch=arguments.from_scratch,
        only=frozenset(arguments.stages),
        device=device,
        minutes=arguments.minutes,
        began=began,
    )
    target = arguments.to or EMOJI
    try:
        # Calibrating takes a time of its own.
        for name in arguments.stages or (steps[:-1] if arguments.minutes else steps):
            if name == "assemble":
                assemble(shop, target)
                print(f"the stack is in {target}; make regenerate calibrates, measures and draws everything again")
            elif name == "calibrate":
                calibration.main(["emoji" if target == EMOJI else str(target)])
            else:
                shop.once(TRAIN[name])
    except ConceptreeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
