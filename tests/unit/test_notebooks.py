"""The notebooks run from top to bottom, tell a short story, and are kept as they were run."""

import re

import nbformat
import pytest
from executed import DRAWN, LIMIT, NOTEBOOKS, execute, source_hash

MACHINE = re.compile(r"(?<![\w.])/(?:work|tmp|root|home|Users|opt|usr|var)/|[A-Z]:\\\\")
NUMBER = r"[+-]?\d+(?:\.\d+)?"
WANTED = ["01_quickstart", "02_why_alike", "03_pairs", "04_train_a_group_sae",
          "05_your_own_companies"]  # fmt: skip


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook):
    return [output for cell in code_of(notebook) for output in cell.outputs]


def kinds_shown(notebook):
    """What every cell shows, by kind: a file keeps those of one output in alphabetical order."""
    return [
        [(output.output_type, *sorted(output.get("data", ()))) for output in cell.outputs]
        for cell in code_of(notebook)
    ]


def test_there_are_five():
    assert [path.stem for path in NOTEBOOKS] == WANTED


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_short_and_end_with_what_was_learned(path):
    cells = read(path).cells
    assert len(cells) <= 25 and path.stat().st_size < LIMIT
    assert cells[0].source.startswith("# ")
    assert cells[-1].cell_type == "markdown" and "learned" in cells[-1].source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_with_the_outputs_of_their_own_code(path):
    notebook = read(path)
    counts = [cell.execution_count for cell in code_of(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    told = "this code was not run after its last change: make notebooks"
    assert notebook.metadata["finsae"]["source"] == source_hash(notebook), told
    assert not [output for output in outputs_of(notebook) if output.output_type == "error"]
    assert not [output for output in outputs_of(notebook) if output.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_show_figures_that_every_viewer_knows_and_no_machine(path):
    notebook = read(path)
    assert not MACHINE.search(path.read_text())
    shown = [output.data for output in outputs_of(notebook) if "data" in output]
    assert not [data for data in shown if DRAWN in data or "application/javascript" in data]
    figures = [data for data in shown if "image/png" in data]
    assert figures
    assert all(len(data["text/plain"]) > 40 for data in figures)  # what a figure says in words
    assert not any("<script" in data.get("text/html", "") for data in shown)
    drawn_elsewhere = re.compile(r"\.plot\(|matplotlib|px\.|import plotly|\.style\b")
    assert not [cell for cell in code_of(notebook) if drawn_elsewhere.search(cell.source)]


def intervals_of(text):
    """Ends of all intervals in a text, as they are written but for the sign of what is above 0."""
    found = re.findall(rf"\[({NUMBER}), ({NUMBER})\]|interval ({NUMBER}) to ({NUMBER})", text)
    return {tuple(end.lstrip("+") for end in ends if end) for ends in found}


def told_by(notebook):
    """Everything in words that the outputs of a notebook say."""
    texts = [output.get("text", "") for output in outputs_of(notebook)]
    for output in outputs_of(notebook):
        data = output.get("data", {})
        texts += [data.get("text/plain", ""), re.sub("<[^>]+>", " ", data.get("text/html", ""))]
    return "\n".join(texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_intervals_of_the_prose_are_those_of_the_outputs(path):
    notebook = read(path)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert intervals_of(" ".join(prose.split())) <= intervals_of(told_by(notebook))


def test_intervals_are_found_in_either_spelling():
    assert intervals_of("+0.01 [-0.009, +0.028]; b 0.1, interval 0.118 to 0.240.") == {
        ("-0.009", "0.028"),
        ("0.118", "0.240"),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_show_as_much_as_is_kept(path):
    assert kinds_shown(execute(path)) == kinds_shown(read(path))
