"""The place: code that other people wrote, as the locked environment has it, and the small trees in every language."""

import pytest
from code_insight.catalog import Catalog

from tests.server.indexed import shelf


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Starlette, click, markdown-it-py, uvicorn, and `samples`."""
    return shelf(tmp_path_factory.getbasetemp())
