"""Fixtures used across the tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the development data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("development data (../shared/data) is not here")
    return SHARED
