"""Ask the Open Source Vulnerabilities database about every package that is installed here.

    python tests/audit.py

Names each package with a known vulnerability (exit 1); without an answer it says that nothing was
checked (exit 2). What is sent are names and versions, as pip-audit sends them.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from importlib.metadata import distributions

ADDRESS = "https://api.osv.dev"
AT_ONCE, LIMIT, TIMEOUT = 500, 32 << 20, 30.0


class NoAnswerError(Exception):
    """The database cannot be reached, or answers something else."""


def installed():
    """Names and versions of what is installed."""
    found = {(d.metadata["Name"], d.version) for d in distributions() if d.metadata["Name"]}
    return sorted(found, key=lambda package: (package[0].lower(), package[1]))


def ask(packages, *, address=ADDRESS, context=None):
    """Numbers of known vulnerabilities by package, of those that have some."""
    known = {}
    for first in range(0, len(packages), AT_ONCE):
        some = packages[first : first + AT_ONCE]
        queries = [
            {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
            for name, version in some
        ]
        answers = _post(f"{address}/v1/querybatch", {"queries": queries}, context).get("results")
        if not isinstance(answers, list) or len(answers) != len(some):
            raise NoAnswerError(f"{address} gives {len(answers or [])} answers to {len(some)}")
        for package, answer in zip(some, answers, strict=True):
            if numbers := [str(each["id"]) for each in (answer or {}).get("vulns", [])]:
                known[package] = numbers
    return known


def _post(url, content, context):
    request = urllib.request.Request(
        url, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as response:
            answer = json.loads(response.read(LIMIT))
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise NoAnswerError(f"no answer from {url} ({error})") from None
    if not isinstance(answer, dict):
        raise NoAnswerError(f"{url} answers something else")
    return answer


def main(address=ADDRESS, context=None):
    packages = installed()
    try:
        known = ask(packages, address=address, context=context)
    except NoAnswerError as error:
        sys.stdout.write(f"NOT CHECKED: {error}; run it again where there is a network\n")
        return 2
    for (name, version), numbers in known.items():
        sys.stdout.write(f"{name} {version}: {', '.join(numbers)}\n")
    sys.stdout.write(f"{len(packages)} packages checked, {len(known)} with known vulnerabilities\n")
    return 1 if known else 0


if __name__ == "__main__":
    authorities = os.environ.get("SSL_CERT_FILE")
    sys.exit(main(context=ssl.create_default_context(cafile=authorities)))
