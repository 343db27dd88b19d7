"""Small functions, small modules: the limits that no linter holds for us."""

import ast
import io
import tokenize
from pathlib import Path

import finsae

PACKAGE = Path(finsae.__file__).parent
FUNCTION, MODULE, PARAMETERS = 40, 300, 7


def code_lines(source):
    """Numbers of lines that hold code: no blank ones, no comments, no docstrings."""
    tree, held = ast.parse(source), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
                              tokenize.DEDENT, tokenize.ENDMARKER):  # fmt: skip
            held |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        first = getattr(node, "body", [None])
        first = first[0] if isinstance(first, list) and first else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            held -= set(range(first.lineno, first.end_lineno + 1))
    return held


def found():
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text()
        name, held = str(path.relative_to(PACKAGE)), code_lines(source)
        yield name, len(held), MODULE
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                # a command's options are its signature
                first = node.body[0].lineno if name.startswith("cli/") else node.lineno
                yield (
                    f"{name}:{node.name}",
                    len(held & set(range(first, node.end_lineno + 1))),
                    FUNCTION,
                )
                count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
                own = node.args.args[:1] and node.args.args[0].arg in ("self", "cls")
                if not name.startswith(("cli/", "sae/kernels/device.py")):
                    yield f"{name}:{node.name}()", count - bool(own), PARAMETERS


def test_nothing_is_longer_than_the_house_rules_allow():
    long = [f"{what}: {size} > {most}" for what, size, most in found() if size > most]
    assert not long, "\n".join(long)
