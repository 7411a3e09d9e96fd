"""The pages of the second factor, the wall before those who need one, and devices."""

import json
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.domain import devices
from accounts.models import AuditEntry, KnownDevice, User
from messaging.models import Notification
from tests.accounts.codes import add_totp, code
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_pages import set_rates
from tests.factories import StaffFactory, UserFactory, make_provider

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def sign_in(client: Client, user: User, **headers: str) -> Any:
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, headers=headers)


@pytest.fixture
def page(client: Client, user: User) -> Client:
    sign_in(client, user)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


@pytest.mark.django_db(transaction=True)  # allauth tells of a new app after the commit
def test_app_is_set_up_and_asked_at_the_next_sign_in(page: Client, user: User, time_machine: Any) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    secret = page.get("/accounts/2fa/totp/activate/").context["form"].secret

    done = page.post("/accounts/2fa/totp/activate/", {"code": code(secret=secret)}, follow=True)

    assert done.redirect_chain == [("/accounts/2fa/recovery-codes/", 302)]
    assert len(done.context["unused_codes"]) == 10
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"mfa_enabled"}
    assert mail.outbox  # tells of the app, and of nothing secret
    assert secret not in json.dumps([message.body for message in mail.outbox])
    other = Client()
    assert sign_in(other, user).headers["Location"].startswith("/accounts/2fa/authenticate/")
    assert other.get("/account/settings/").status_code == 302
    used = other.post("/accounts/2fa/authenticate/", {"code": code(secret=secret)})  # it activated the app
    assert "used already" in used.content.decode()
    assert other.post("/accounts/2fa/authenticate/", {"code": code(secret=secret, steps=1)}).status_code == 302
    assert other.get("/account/settings/").status_code == 200


def test_second_step_limits_guesses(client: Client, user: User) -> None:
    add_totp(user)
    sign_in(client, user)

    answers = [client.post("/accounts/2fa/authenticate/", {"code": "000000"}).content.decode() for _ in range(6)]

    assert ["Too many" in answer for answer in answers] == [False] * 5 + [True]


@pytest.mark.parametrize(
    "credential",
    ["", "{}", "[]", "1", "null", '"x"', '{"id": 1}', '{"response": 1}', '{"rawId": "\\u0000"}', "x", "{" * 30_000],
)
@pytest.mark.parametrize("url", ["/accounts/2fa/webauthn/login/", "/accounts/2fa/webauthn/add/"])
def test_credential_that_is_none_is_refused(page: Client, url: str, credential: str) -> None:
    client = Client() if "login" in url else page
    client.get(url, headers={"Accept": "application/json"})

    assert client.post(url, {"credential": credential, "name": "x"}).status_code in (200, 302)
    assert not Authenticator.objects.exists()


def test_passkeys_of_others_are_not_there(page: Client) -> None:
    theirs = Authenticator.objects.create(user=UserFactory(), type="webauthn", data={"name": "x", "credential": {}})

    for verb in ("edit", "remove"):
        assert page.get(f"/accounts/2fa/webauthn/keys/{theirs.pk}/{verb}/").status_code == 404
        assert page.post(f"/accounts/2fa/webauthn/keys/{theirs.pk}/{verb}/", {"name": "y"}).status_code == 404


# --- The wall


@pytest.mark.parametrize("url", ["/admin/", "/provider/", "/bookings/"])
def test_staff_are_led_to_the_set_up_at_once(client: Client, settings: Any, url: str) -> None:
    staff = StaffFactory()
    client.force_login(staff)
    assert client.get(url, follow=True).status_code == 200

    settings.REQUIRE_MFA = True
    answer = client.get(url)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/2fa/"
    assert "Your account needs it" in client.get(answer.headers["Location"]).content.decode()
    add_totp(staff)
    way_back = f'href="{url}">Go on to where you wanted to go'
    assert way_back in client.get("/accounts/2fa/").content.decode()
    assert "/accounts/2fa/" not in client.get(url).headers.get("Location", "")
    assert way_back not in client.get("/accounts/2fa/").content.decode()  # there now


@pytest.mark.parametrize(("days", "is_open"), [(13, True), (15, False)])
def test_team_sees_a_notice_and_then_the_wall(
    client: Client, user: User, settings: Any, days: int, is_open: bool
) -> None:
    settings.REQUIRE_MFA = True
    provider = make_provider(user, now=timezone.now() - timedelta(days=days))
    provider.memberships.update(created_at=timezone.now() - timedelta(days=days))
    client.force_login(user)

    answer = client.get(f"/provider/{provider.slug}/profile/")

    assert (answer.status_code == 200) is is_open
    if is_open:
        assert "Set up two-step sign-in" in answer.content.decode()
    else:
        assert answer.headers["Location"] == "/accounts/2fa/"
    assert client.get("/account/settings/").status_code == 200


@pytest.mark.parametrize(
    ("method", "headers"), [("post", {}), ("get", {"Sec-Fetch-Dest": "empty"}), ("get", {"Sec-Fetch-Dest": "image"})]
)
def test_what_was_no_visit_of_a_page_is_nowhere_to_go_back_to(
    client: Client, settings: Any, method: str, headers: dict[str, str]
) -> None:
    settings.REQUIRE_MFA = True
    client.force_login(StaffFactory())

    assert getattr(client, method)("/messages/", headers=headers).headers["Location"] == "/accounts/2fa/"
    assert "wanted_before_second_factor" not in client.session


# --- Devices


def old(user: User) -> User:
    User.objects.filter(pk=user.pk).update(date_joined=timezone.now() - timedelta(days=9))
    user.refresh_from_db()
    return user


def test_new_browser_is_told_once_and_another_program_with_its_cookie_again(client: Client, user: User) -> None:
    old(user)

    sign_in(client, user, user_agent=FIREFOX)
    told = Notification.objects.get(user=user, kind="account_new_device")
    assert "Firefox on Linux" in told.body
    client.post("/accounts/logout/")
    sign_in(client, user, user_agent=FIREFOX)
    assert Notification.objects.filter(kind="account_new_device").count() == 1

    copied = Client()
    copied.cookies["known_device"] = client.cookies["known_device"].value
    sign_in(copied, user, user_agent="curl/8.0")
    assert Notification.objects.filter(kind="account_new_device").count() == 2


def test_first_device_of_a_new_account_is_no_news(client: Client, user: User) -> None:
    sign_in(client, user)

    assert not Notification.objects.exists()
    assert KnownDevice.objects.get().user == user
    assert client.cookies["known_device"]["httponly"]


def test_guesses_elsewhere_do_not_lock_out_a_known_browser(client: Client, user: User, settings: Any) -> None:
    set_rates(settings, sign_in="3/min")
    sign_in(client, user)
    client.post("/accounts/logout/")
    stranger = Client()
    for number in range(5):
        stranger.post("/accounts/login/", {"login": user.email, "password": f"guess-number-{number}"})

    assert sign_in(Client(), user).status_code == 200  # not let in: the count is used up
    assert sign_in(client, user).status_code == 302


def test_cookie_of_one_account_opens_no_tries_at_another(client: Client, user: User, settings: Any) -> None:
    set_rates(settings, sign_in="3/min")
    sign_in(client, UserFactory())
    client.post("/accounts/logout/")

    for number in range(4):
        client.post("/accounts/login/", {"login": user.email, "password": f"guess-number-{number}"})

    assert sign_in(client, user).status_code == 200


def test_signing_out_everywhere_keeps_this_browser_alone(page: Client, user: User, login: Any, api: Any) -> None:
    tokens, other = login(user), Client()
    sign_in(other, user, user_agent=FIREFOX)

    assert page.post("/account/sign-out-everywhere/").status_code == 302

    assert page.get("/account/settings/").status_code == 200
    assert other.get("/account/settings/").status_code == 302
    assert api.post("/api/v1/auth/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    assert KnownDevice.objects.count() == 1


def test_devices_are_forgotten_when_their_cookie_has_run_out(user: User) -> None:
    now = timezone.now()
    devices.signed_in(user, digest="a", label="A", now=now - timedelta(days=401))
    devices.signed_in(user, digest="b", label="B", now=now)

    assert not devices.is_known(user.email, "a", now=now)
    assert devices.delete_old(now=now) == 1
    assert KnownDevice.objects.get().digest == "b"
