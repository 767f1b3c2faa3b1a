"""Execute docs/notebook.ipynb again, in place: `make notebook`, after a change to the notebook or to the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
SECONDS = 600  # the most that a cell may take


def executed(notebook: NotebookNode, numbers: Mapping[str, int] | None = None) -> NotebookNode:
    """The notebook with new outputs. numbers: instead of those in the cell that is tagged "parameters"."""
    for cell in notebook.cells:
        if numbers and "parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(f"{name} = {value}" for name, value in numbers.items())
    with TemporaryDirectory() as folder:  # sockets in it, no ports
        kernel = AsyncKernelManager(
            kernel_name="python3", transport="ipc", connection_file=str(Path(folder, "kernel.json"))
        )
        client = NotebookClient(notebook, km=kernel, timeout=SECONDS, resources={"metadata": {"path": str(ROOT)}})
        client.execute(cleanup_kc=True)  # ends the kernel too, which nbclient leaves running if it is given
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ in each execution
        if cell.cell_type == "code":
            cell.outputs = [small(each) for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


def small(output: NotebookNode) -> NotebookNode:
    """An output with one form of each picture; Jupyter keeps several."""
    data = output.get("data", {})
    if "image/png" in data:
        output.data = NotebookNode({"image/png": data["image/png"], "text/plain": "a picture"})
    return output


if __name__ == "__main__":
    nbformat.write(executed(nbformat.read(NOTEBOOK, as_version=4)), NOTEBOOK)
