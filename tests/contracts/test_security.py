"""What no module may do: unpickle, run what a file says, trust a stranger, write secrets down."""

import ast
import tomllib
from pathlib import Path

import pytest

import finsae

PACKAGE = Path(finsae.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Modules that read pickles, run code or parse XML with entities, whoever calls what in them.
IMPORTS = {
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml",
    "xml", "lxml", "xmlrpc", "bs4", "code", "pty", "telnetlib", "ftplib", "tarfile",
}  # fmt: skip
BUILTINS = {"eval", "exec", "compile", "__import__"}
CALLS = {"read_pickle", "to_pickle", "read_xml", "read_html", "unsafe_load", "extractall", "system",
         "_create_unverified_context", "popen", "mktemp", "getstatusoutput"}  # fmt: skip
NEVER = {
    "allow_pickle": True,
    "trust_remote_code": True,
    "shell": True,
    "verify": False,
    "check_hostname": False,
    "weights_only": False,
}


def name_of(call):
    """Owner and name of what is called: ("torch", "load")."""
    if isinstance(call.func, ast.Attribute):
        return getattr(call.func.value, "id", ""), call.func.attr
    return "", getattr(call.func, "id", "")


def found_in(source):
    """Everything in a source that may not be there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            modules = names if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"imports {m}" for m in modules if m.split(".")[0] in IMPORTS)
        elif isinstance(node, ast.Assign):
            value = getattr(node.value, "value", None)
            said = {getattr(target, "attr", None) for target in node.targets}
            yield from (f"sets {k} to {v}" for k, v in NEVER.items() if k in said and value is v)
        elif isinstance(node, ast.Call):
            yield from called(node)


def called(node):
    owner, name = name_of(node)
    if name in CALLS or (name in BUILTINS and isinstance(node.func, ast.Name)):
        yield f"calls {owner}.{name}"
    given = {word.arg: getattr(word.value, "value", ...) for word in node.keywords}
    yield from (f"says {k}={v}" for k, v in NEVER.items() if k in given and given[k] is v)
    if (owner, name) == ("torch", "save"):
        yield "torch.save, which pickles"
    if (owner, name) == ("torch", "load") and given.get("weights_only") is not True:
        yield "torch.load without weights_only=True"
    if name == "from_pretrained" and given.get("trust_remote_code", False) is not False:
        yield "from_pretrained with trust_remote_code"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import xml.etree.ElementTree as tree",
        "import yaml",
        "np.load(p, allow_pickle=True)",
        "torch.load(p)",
        "torch.save(weights, p)",
        "torch.load(p, weights_only=False)",
        "AutoModel.from_pretrained(p, trust_remote_code=True)",
        "AutoModel.from_pretrained(p, trust_remote_code=asked)",
        "pd.read_pickle(p)",
        "pd.read_xml(p)",
        "subprocess.run(line, shell=True)",
        "requests.get(url, verify=False)",
        "ssl._create_unverified_context()",
        "context.check_hostname = False",
        "eval(text)",
        "archive.extractall(folder)",
    ],
)
def test_the_check_finds_what_it_is_for(source):
    assert list(found_in(source))


def test_the_check_lets_pass_what_is_sound():
    sound = "re.compile('a')\nmodel.eval()\ntorch.load(p, weights_only=True)\nnp.load(p)"
    assert not list(found_in(sound))


def test_no_module_unpickles_runs_or_trusts_what_it_reads():
    found = {str(path.relative_to(PACKAGE)): list(found_in(path.read_text())) for path in FILES}
    assert not {name: what for name, what in found.items() if what}


def test_templates_escape_what_they_are_given():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name_of(node)[1] == "Environment":
                given = {word.arg: getattr(word.value, "value", ...) for word in node.keywords}
                assert given.get("autoescape") not in (None, False), path.name


def test_secrets_come_from_the_environment_and_are_no_option_setting_or_default():
    """No parameter, field or TOML key is called a key, token, password or secret."""
    secret = ("api_key", "apikey", "password", "passwd", "secret", "access_token", "auth_token")
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                parts = node.args
                names = [a.arg for a in (*parts.posonlyargs, *parts.args, *parts.kwonlyargs)]
                names = [] if node.name.startswith("_") else names
            elif isinstance(node, ast.AnnAssign):
                names = [getattr(node.target, "id", "")]
            else:
                continue
            assert not [n for n in names if n.lower() in secret], f"{path.name}: {names}"
    for preset in (PACKAGE / "presets").glob("*.toml"):
        content = tomllib.loads(preset.read_text())
        held = {name for part in content.values() if isinstance(part, dict) for name in part}
        assert not held & set(secret)
