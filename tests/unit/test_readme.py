"""What the README shows is what happens."""

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

import pytest

from finsae import cli

README = (Path(__file__).parents[2] / "README.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [(match[1], match[2]) for match in BLOCK.finditer(README)]


def commands():
    """Every `finsae` command of the shell blocks, without what installs and makes."""
    lines = [line for kind, body in BLOCKS if kind == "console" for line in body.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ finsae ")]


def test_the_two_commands_stand_near_the_top():
    top = README.split("\n## ")[0] + README.split("\n## ")[1]
    assert "make demo" in top and "make test" in top


def test_every_file_the_readme_names_is_there():
    root = Path(__file__).parents[2]
    named = re.findall(r"`((?:finsae|data|tests|notebooks|reports)/[\w./-]+)`", README)
    made = ("reports/demo", "reports/runs", "data/cache")
    missing = [name for name in named if not name.startswith(made) and not (root / name).exists()]
    assert named and not missing


@pytest.mark.slow
def test_python_blocks_print_what_is_shown():
    shown = 0
    for (kind, body), (after, output) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if kind != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(body, "README.md", "exec"), {})
        if after == "text":
            assert printed.getvalue().split() == output.split()
            shown += 1
    assert shown >= 1


@pytest.mark.slow
def test_commands_of_the_readme_run_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert commands()
    for line in commands():
        monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
        code = None
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        assert not code, f"{line} ended with {code}"
