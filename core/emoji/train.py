"""`python -m core.emoji.train`: builds the embedded stack from the registries' packages, stage by stage."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from core.emoji import stages


def cache_folder() -> Path:
    """Downloads, renderings and checkpoints: outside the repository, so that a fresh checkout finds them again."""
    return Path(os.environ.get("CONCEPTREE_CACHE", Path.home() / ".cache" / "conceptree")) / "emoji"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [name.removeprefix("train_") for name in vars(stages) if name.startswith("train_")]
    parser.add_argument("stages", nargs="*", choices=[*names, []], help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--effort", type=float, default=1.0, help="scales the steps of each stage (default 1)")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch (default: its own choice)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    shop = stages.Workshop(cache_folder(), effort=arguments.effort)
    for name in arguments.stages or names:
        getattr(stages, f"train_{name}")(shop)


if __name__ == "__main__":
    main()
