"""The notebooks with their outputs, small enough to be kept: `make notebooks`."""

import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LIMIT = 300_000  # bytes
DRAWN = "application/vnd.plotly.v1+json"
"""The figure for the screen: the PNG beside it is what is kept."""
QUIET = {"PYTHONWARNINGS": "ignore:IProgress not found"}
"""Whether a notebook has progress bars is no matter of its outputs."""


def execute(path):
    """Run a notebook in an empty folder; return it as it is kept."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        where = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook, timeout=600, resources=where, record_timing=False, coalesce_streams=True
        )
        client.execute(env={**os.environ, **QUIET})
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(DRAWN, None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "finsae": {"source": source_hash(notebook)},
    }
    return notebook


def source_hash(notebook):
    """Hash of the code: outputs of other code are found so."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return sha256("\0".join(code).encode()).hexdigest()[:16]


def main():
    wanted = [Path(name) for name in sys.argv[1:]] or NOTEBOOKS
    for path in wanted:
        began = time.perf_counter()
        nbformat.write(execute(path), path)
        took, size = time.perf_counter() - began, path.stat().st_size
        sys.stderr.write(f"{path.stem}: {took:.0f} s, {size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
