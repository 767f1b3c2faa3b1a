"""Fetch cytoscape.js (MIT), which draws the family tree, from npm: `python tools/cytoscape.py`.

The one file that the workbench needs is committed with its licence on top, so that users need no npm and no network.
This script made it and makes a newer one.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.34.4"
LIBRARY = Path(__file__).parent.parent / "ui" / "view" / "family" / "cytoscape.js"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", f"cytoscape@{VERSION}"], cwd=folder, check=True)
        with tarfile.open(Path(folder) / f"cytoscape-{VERSION}.tgz") as package:
            licence, library = (
                package.extractfile(f"package/{name}").read().decode()
                for name in ("LICENSE", "dist/cytoscape.esm.min.mjs")
            )
    LIBRARY.write_text(f"/*! cytoscape.js {VERSION}\n\n{licence.strip()}\n*/\n{library.strip()}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
