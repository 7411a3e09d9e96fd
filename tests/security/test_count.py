"""How many hostile inputs there are, so that none is lost unseen."""

from tests.security import test_hostile_addresses, test_hostile_fields, test_hostile_files, test_hostile_tokens


def test_there_are_hundreds() -> None:
    listed = [
        *test_hostile_files.HOSTILE,
        *test_hostile_addresses.HOSTILE,
        *test_hostile_fields.HOSTILE,
        *test_hostile_tokens.FORMS,
    ]
    names = {hostile.name for hostile in listed}

    assert len(names) == len(listed), "two of the same name"
    assert len(listed) + len(test_hostile_tokens.TOKENS) >= 350
