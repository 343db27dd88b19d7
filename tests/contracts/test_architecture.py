"""The direction of dependencies, what importing costs, and who may print."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import finsae
from finsae.plugins import MENU, make

PACKAGE = Path(finsae.__file__).parent

# A module may import names of the levels before its own, never of its own or a later one.
LEVELS = [
    {"checks", "store", "plugins", "config", "methods", "metrics", "markup", "ledger", "filings"},
    {"artefact"},
    {"parts"},
    {"universe", "activations", "features", "result"},
    {"sources", "embed", "sae", "similarity", "cluster", "explain", "pairs"},
    {"benchmark"},
    {"pipeline"},
    {"plots"},
    {"report", "explorer"},
    {"console"},
    {"cli"},
]
BASE = 0
ALLOWED_SIBLINGS = {("pairs", "similarity")}  # ties at the border are similarity's to find
# A labeller that is a language model loads one; its module is imported only when it is asked for.
TORCH_USERS = ("sae/", "embed/transformer/", "explain/labellers/local.py")


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def unit_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def level_of(unit):
    return next(number for number, names in enumerate(LEVELS) if unit in names)


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "finsae":
                yield from (f"finsae.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_dependencies_point_one_way():
    wrong = []
    for path in modules():
        unit = unit_of(path)
        if unit == "__init__":
            continue
        for name in imports(path):
            if not name.startswith("finsae."):
                continue
            other = name.split(".")[1]
            if other in {unit, "__version__"} or (unit, other) in ALLOWED_SIBLINGS:
                continue
            below = level_of(other) < level_of(unit)
            both_base = level_of(other) == level_of(unit) == BASE
            if not (below or both_base):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


def test_every_module_has_a_level():
    assert {unit_of(path) for path in modules()} - {"__init__"} <= set().union(*LEVELS)


def test_torch_is_imported_only_where_the_language_model_and_the_autoencoder_are():
    users = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for name in imports(path)
        if name.split(".")[0] in {"torch", "transformers"}
    }
    assert users and all(user.startswith(TORCH_USERS) for user in users)


def test_only_the_command_line_prints():
    printing = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert not [name for name in printing if not name.startswith("cli/")]


def test_import_is_fast_and_loads_neither_torch_nor_transformers():
    code = (
        "import sys, time; start = time.perf_counter(); import finsae; "
        "took = time.perf_counter() - start; "
        "print(took, 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    outputs = [run.stdout.split() for run in runs]
    assert all(output[1:] == ["False", "False"] for output in outputs)
    assert (
        min(float(output[0]) for output in outputs) < 0.5
    )  # the best of three: others share the machine


def test_public_names_can_be_had():
    # A public name must not be that of a submodule: importing this would put it in its place.
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert not modules & set(finsae.__all__)
    assert all(callable(getattr(finsae, name)) for name in finsae.__all__)


@pytest.mark.parametrize(("socket", "name"), [(s, n) for s, menu in MENU.items() for n in menu])
def test_every_entry_of_the_menu_can_be_made(socket, name):
    needs = {"mst": {"threshold": 0.5}, "average": {"n_clusters": 2}, "kmeans": {"n_clusters": 2},
             "local": {"model": "folder"}, "openai": {"model": "name"}}  # fmt: skip
    assert make(socket, name, **needs.get(name, {})) is not None
