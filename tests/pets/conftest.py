import pytest


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    """Files of a test stay in its own folder."""
    settings.MEDIA_ROOT = tmp_path
