"""The world that the hostile inputs are sent to: the one of the tests that walk the whole API."""

from tests.api.conftest import module_world, undone_module, world

__all__ = ["module_world", "undone_module", "world"]
