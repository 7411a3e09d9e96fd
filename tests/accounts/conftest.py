"""Signing in for the tests of this folder."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import UserFactory

PASSWORD = "a-good-password-1"


@pytest.fixture
def user(db: None) -> User:
    return UserFactory(email="ann@example.test", full_name="Ann Example")


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture
def login(api: APIClient) -> Callable[[User], dict[str, str]]:
    """Return the tokens of a fresh sign-in over the API."""

    def run(user: User) -> dict[str, str]:
        answer = api.post("/api/v1/auth/login/", {"email": user.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    return run


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}
