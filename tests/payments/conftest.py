"""A provider, somebody who pays, and a gateway in memory."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.factories import UserFactory, make_provider
from tests.payments.fake import FakeGateway, installed


@pytest.fixture
def fake() -> Iterator[FakeGateway]:
    with installed(FakeGateway()) as one:
        yield one


@pytest.fixture
def provider(db: None) -> Any:
    return make_provider()


@pytest.fixture
def payer(db: None) -> Any:
    return UserFactory()
