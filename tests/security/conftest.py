"""The world that the hostile inputs are sent to: the one of the tests that walk the whole API."""

from tests.api.conftest import module_world, world

__all__ = ["module_world", "world"]
