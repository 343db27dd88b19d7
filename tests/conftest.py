"""Fixtures used across the tests."""

import os
from pathlib import Path

import pytest

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
