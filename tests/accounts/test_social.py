"""Signing in with an account elsewhere, against a real OpenID provider on loopback, also a hostile one."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import oidc_provider_mock
import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import social_settings
from accounts.models import User

pytestmark = [
    pytest.mark.django_db,
    # The provider's own libraries warn of each other.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]
HERS = "ann@example.test"


class FakeEnv:
    """As much of environ.Env as the settings ask for."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def str(self, name: str, default: str = "", **_: Any) -> str:
        return self.values.get(name, default)

    def bool(self, name: str, default: bool = False) -> bool:
        return {"true": True, "false": False}.get(self.values.get(name, ""), default)

    def list(self, name: str, default: Any = None) -> list[str]:
        return self.values[name].split(",") if name in self.values else list(default or [])


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(autouse=True)
def _configured(provider: str, settings: Any) -> None:
    env = FakeEnv(
        SOCIAL_OIDC_URL=provider, SOCIAL_OIDC_CLIENT_ID="petplace", SOCIAL_OIDC_SECRET="s", SOCIAL_OIDC_NAME="X"
    )
    settings.SOCIALACCOUNT_PROVIDERS = social_settings.chosen(env).providers


def come_from(provider: str, client: Client, sub: str, **claims: Any) -> Any:
    """Walk the whole way as a browser does: our button, their form, their redirect, our callback."""
    requests.put(f"{provider}/users/{sub}", json=claims, timeout=5).raise_for_status()
    start = client.post("/accounts/oidc/sso/login/")
    assert start.status_code == 302, start.content
    answer = requests.post(start.headers["Location"], data={"sub": sub}, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["Location"])
    return client.get(f"{back.path}?{back.query}")


def is_signed_in(client: Client) -> str:
    return str(client.session.get("_auth_user_id", ""))


def prove(user: User, *, is_proven: bool = True) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=is_proven)


def test_new_person_gets_an_account(provider: str, client: Client) -> None:
    come_from(provider, client, "s1", email="new@example.test", email_verified=True, name="New  Person")

    user = User.objects.get(email="new@example.test")
    assert (is_signed_in(client), user.full_name) == (str(user.pk), "New Person")
    assert not user.has_usable_password()
    assert EmailAddress.objects.get(user=user).verified


def test_proven_at_both_ends_leads_into_the_account_and_is_linked(provider: str, client: Client, user: User) -> None:
    prove(user)

    come_from(provider, client, "s2", email=HERS, email_verified=True)

    assert is_signed_in(client) == str(user.pk)
    assert SocialAccount.objects.get().user == user
    assert user.has_usable_password()


@pytest.mark.parametrize("claim", [False, "true", None, 0, "yes"])
def test_hostile_provider_that_claims_an_unverified_address_gets_nothing(
    provider: str, client: Client, user: User, claim: Any
) -> None:
    prove(user)

    come_from(provider, client, "evil", email=HERS, email_verified=claim)

    assert is_signed_in(client) == ""
    assert not SocialAccount.objects.exists()
    assert User.objects.count() == 1


def test_address_that_is_not_proven_here_is_not_linked(provider: str, client: Client, user: User) -> None:
    prove(user, is_proven=False)  # somebody signed up with her address before her

    come_from(provider, client, "s3", email=HERS, email_verified=True)

    assert is_signed_in(client) == ""
    assert not SocialAccount.objects.exists()


def test_look_alike_of_an_address_is_another_address(provider: str, client: Client, user: User) -> None:
    prove(user)

    come_from(provider, client, "s4", email="ann@examp\u217ce.test", email_verified=True)

    assert is_signed_in(client) != str(user.pk)
    assert not SocialAccount.objects.filter(user=user).exists()


def test_operator_can_switch_linking_off(provider: str, client: Client, user: User, settings: Any) -> None:
    prove(user)
    env = FakeEnv(SOCIAL_OIDC_URL=provider, SOCIAL_OIDC_CLIENT_ID="petplace", SOCIAL_OIDC_LINK_BY_EMAIL="false")
    settings.SOCIALACCOUNT_PROVIDERS = social_settings.chosen(env).providers

    come_from(provider, client, "s5", email=HERS, email_verified=True)

    assert is_signed_in(client) == ""


def test_settings_name_what_has_keys() -> None:
    env = FakeEnv(SOCIAL_GOOGLE_CLIENT_ID="g", SOCIAL_FACEBOOK_CLIENT_ID="f", SOCIAL_APPLE_CLIENT_ID="a")

    found = social_settings.chosen(env)

    assert [app.rpartition(".")[2] for app in found.apps] == ["google", "facebook", "apple"]
    assert social_settings.names(found.providers) == ["Google", "Facebook", "Apple"]
    assert found.origins == ["https://accounts.google.com", "https://www.facebook.com", "https://appleid.apple.com"]
    assert not found.providers["facebook"].get("EMAIL_AUTHENTICATION")
    assert social_settings.chosen(FakeEnv()) == social_settings.Social()
