"""`python -m training.train`: trains the embedded stack, stage by stage.

Each stage writes checkpoints, logs its losses, and continues where it was stopped. Without arguments, all stages run in
order, then the stack is assembled in core/emoji/weights/ and its caps and floors are measured. Named stages build on
the committed weights of the others: `decoder assemble calibrate` trains only the decoder further.
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
    """Folder of downloads, renderings and checkpoints, outside the repository so that a new checkout finds them."""
    return Path(os.environ.get("CONCEPTREE_CACHE", Path.home() / ".cache" / "conceptree")) / "emoji"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = (*STAGES, "assemble", "calibrate")
    parser.add_argument("stages", nargs="*", help=f"any of {', '.join(steps)}; all by default")
    parser.add_argument("--effort", type=float, default=1.0, help="factor on the steps of each stage (1)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=0.0,
        help="time for all stages, instead of steps; without calibrate",
    )
    parser.add_argument("--device", default="auto", help="cpu or cuda; by default cuda if there is one")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch (its own choice)")
    parser.add_argument("--seed", type=int, default=0, help="other pictures and noise; use a new one per continuation")
    parser.add_argument("--from-scratch", action="store_true", help="do not begin with the committed weights")
    parser.add_argument(
        "--mean", action="store_true", help="assemble stages that are named as the mean of committed and new weights"
    )
    parser.add_argument("--to", type=Path, help="folder for the assembled stack (core/emoji/weights)")
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
        torch.backends.cudnn.benchmark = True  # every step has the same shapes
    from core import calibration
    from core.stack.backbone import EMOJI
    from training.assemble import assemble
    from training.stages import TRAIN
    from training.workshop import Workshop

    shop = Workshop(
        cache_folder(),
        effort=arguments.effort,
        seed=arguments.seed,
        from_scratch=arguments.from_scratch,
        only=frozenset(arguments.stages),
        mean=arguments.mean,
        device=device,
        minutes=arguments.minutes,
        began=began,
    )
    target = arguments.to or EMOJI
    try:
        # Calibrating is not part of the minutes.
        for name in arguments.stages or (steps[:-1] if arguments.minutes else steps):
            if name == "assemble":
                assemble(shop, target)
                print(f"the stack is in {target}; make regenerate calibrates, measures and draws again")
            elif name == "calibrate":
                calibration.main(["emoji" if target == EMOJI else str(target)])
            else:
                shop.once(TRAIN[name])
    except ConceptreeError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command continues from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
