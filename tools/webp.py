"""Convert a picture to WebP for the docs: `python tools/webp.py SOURCE TARGET.webp`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from ui.webp import webp_bytes


def main(source: str, target: str) -> None:
    with Image.open(source) as picture:
        Path(target).write_bytes(webp_bytes(picture))


if __name__ == "__main__":
    main(*sys.argv[1:])
