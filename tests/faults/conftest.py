"""One site for all the fault suites of a run."""

import os
from collections.abc import Iterator

import pytest

from tests.faults.world import Site, running_site

# `make faults` runs the full length, `make test` a short one of each.
IS_FULL = os.environ.get("PETPLACE_FAULTS") == "full"


@pytest.fixture(scope="session")
def _site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def site(_site: Site) -> Iterator[Site]:
    """The site with its web processes. Whatever a suite did to it, its database must hold together."""
    yield _site
    _site.stop_processes("worker", "beat")
    _site.check_invariants()
