"""Fixtures used across the tests."""

import os
from pathlib import Path

import pytest
from https_server import serve

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the development data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("development data (../shared/data) is not here")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Keep the tests' artefacts out of the user's cache; one for all tests of a process."""
    folder = tmp_path_factory.getbasetemp() / "finsae-cache"
    before = os.environ.get("FINSAE_CACHE")
    os.environ["FINSAE_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["FINSAE_CACHE"]
    else:
        os.environ["FINSAE_CACHE"] = before


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def https(certificates, monkeypatch):
    """A server over TLS on this machine; see `https_server`."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serve(certificates) as server:
        yield server
