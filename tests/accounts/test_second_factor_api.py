"""Signing in over the API with a second factor, and what is closed without one."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.domain import second_factor
from accounts.models import TokenFamily, User
from providers.domain import team
from tests.accounts.codes import SECRET, add_totp, code
from tests.accounts.conftest import PASSWORD, bearer
from tests.factories import StaffFactory, make_booking, make_provider, manager_of

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login/"


def sign_in(api: APIClient, user: User, **more: str) -> Any:
    return api.post(LOGIN, {"email": user.email, "password": PASSWORD, **more})


def told(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("code")


def test_login_asks_for_the_code_and_takes_it_once(api: APIClient, user: User, time_machine: Any) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    add_totp(user)

    assert told(sign_in(api, user)) == (401, "mfa_required")
    assert told(sign_in(api, user, otp="000000")) == (401, "otp_invalid")
    assert not TokenFamily.objects.exists()
    right = sign_in(api, user, otp=code())
    assert right.status_code == 200
    assert api.get("/api/v1/me/", **bearer(right.json()["access"])).status_code == 200
    assert told(sign_in(api, user, otp=code())) == (401, "otp_invalid")
    assert told(sign_in(api, user, otp=code(steps=-1))) == (401, "otp_invalid")  # older than the last used one


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_phone_may_be_half_a_minute_off(api: APIClient, user: User, time_machine: Any, steps: int, status: int) -> None:
    time_machine.move_to(timezone.now(), tick=False)
    add_totp(user)

    assert sign_in(api, user, otp=code(steps=steps)).status_code == status


def test_wrong_password_does_not_tell_of_the_second_factor(api: APIClient, user: User) -> None:
    add_totp(user)

    answer = api.post(LOGIN, {"email": user.email, "password": "wrong-password-1", "otp": code()})

    assert told(answer) == (401, "wrong_credentials")
    assert told(sign_in(api, user, otp=code()))[0] == 200  # the code was not used up


def test_recovery_code_works_once_with_or_without_spaces(api: APIClient, user: User) -> None:
    first, second, *_ = add_totp(user)

    assert sign_in(api, user, otp=f"{first[:4]} {first[4:]}").status_code == 200
    assert told(sign_in(api, user, otp=first)) == (401, "otp_invalid")
    assert sign_in(api, user, otp=second).status_code == 200


@pytest.mark.parametrize("otp", ["１２３４５６", "12345", "123456789", "abcdef", "12345x", "٠١٢٣٤٥", "------"])
def test_what_is_no_code_is_a_wrong_one(api: APIClient, user: User, otp: str) -> None:
    add_totp(user)

    assert told(sign_in(api, user, otp=otp)) == (401, "otp_invalid")


def test_five_wrong_codes_are_the_most_in_a_minute(api: APIClient, user: User) -> None:
    add_totp(user)

    answers = [told(sign_in(api, user, otp="000000")) for _ in range(6)]

    assert answers == [(401, "otp_invalid")] * 5 + [(429, "throttled")]
    assert told(sign_in(api, user, otp=code())) == (429, "throttled")


def test_known_device_has_tries_of_its_own(api: APIClient, user: User) -> None:
    device = {"device": "d" * 30}
    assert sign_in(api, user, **device).status_code == 200
    add_totp(user)
    for _ in range(6):
        sign_in(api, user, otp="000000")

    assert told(sign_in(api, user, otp=code())) == (429, "throttled")
    assert sign_in(api, user, otp=code(), **device).status_code == 200


def test_keys_of_apps_are_not_readable_in_the_database(user: User) -> None:
    add_totp(user)

    stored = Authenticator.objects.get(user=user, type="totp").data["secret"]

    assert SECRET not in stored
    assert second_factor.decrypt(stored) == SECRET


def test_key_of_the_encryption_can_be_introduced_later(user: User, settings: Any) -> None:
    add_totp(user)

    settings.MFA_ENCRYPTION_KEY = "x" * 40
    assert second_factor.use_code(user, code(), now=timezone.now()) is not None

    settings.SECRET_KEY = "y" * 50
    with pytest.raises(RuntimeError, match="MFA_ENCRYPTION_KEY"):
        second_factor.use_code(user, code(), now=timezone.now())


# --- Signing out everywhere


def test_sign_out_everywhere_ends_all_tokens_and_sessions(api: APIClient, user: User, client: Any) -> None:
    first, second = sign_in(api, user).json(), sign_in(api, user).json()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert api.post("/api/v1/auth/logout/all/", **bearer(first["access"])).status_code == 204

    for pair in (first, second):
        assert api.get("/api/v1/me/", **bearer(pair["access"])).status_code == 401
        assert api.post("/api/v1/auth/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert client.get("/account/settings/").status_code == 302
    assert api.post("/api/v1/auth/logout/all/").status_code == 401


# --- The wall


@pytest.fixture
def _required(settings: Any) -> None:
    settings.REQUIRE_MFA = True


def access(api: APIClient, user: User, **more: str) -> dict[str, Any]:
    return bearer(sign_in(api, user, **more).json()["access"])


@pytest.mark.usefixtures("_required")
def test_staff_get_nowhere_without_a_second_factor(api: APIClient) -> None:
    staff = StaffFactory()
    token = access(api, staff)

    assert told(api.get("/api/v1/applications/", **token)) == (403, "mfa_setup_required")
    assert told(api.get("/api/v1/bookings/", **token)) == (403, "mfa_setup_required")
    assert api.get("/api/v1/me/", **token).status_code == 200
    add_totp(staff)
    assert api.get("/api/v1/applications/", **token).status_code == 200


@pytest.mark.usefixtures("_required")
def test_owners_need_none(api: APIClient, user: User) -> None:
    assert api.get("/api/v1/bookings/", **access(api, user)).status_code == 200


@pytest.mark.usefixtures("_required")
@pytest.mark.parametrize(("days", "is_open"), [(13, True), (15, False)])
def test_teams_have_two_weeks_after_the_approval(api: APIClient, user: User, days: int, is_open: bool) -> None:
    provider = make_provider(user, now=timezone.now() - timedelta(days=days))
    provider.memberships.update(created_at=timezone.now() - timedelta(days=days))
    token, url = access(api, user), f"/api/v1/providers/{provider.uid}/"

    change = api.patch(url, {"bio": "New."}, **token)
    reads = api.get(f"{url}members/", **token)

    assert (change.status_code, reads.status_code) == ((200, 200) if is_open else (403, 403))
    assert api.get(url, **token).status_code == 200  # what everybody may read
    assert api.get("/api/v1/bookings/", **token).status_code == 200  # as owner
    if not is_open:
        assert {change.json()["code"], reads.json()["code"]} == {"mfa_setup_required"}
        add_totp(user)
        assert api.patch(url, {"bio": "New."}, **token).status_code == 200


@pytest.mark.usefixtures("_required")
def test_provider_without_a_second_factor_takes_no_step_in_a_booking(api: APIClient) -> None:
    booking = make_booking()  # of a provider that was approved long ago
    manager = manager_of(booking)
    booking.provider.memberships.update(created_at=booking.provider.approved_at)
    token = access(api, manager)

    refused = api.post(f"/api/v1/bookings/{booking.uid}/cancel/", {"reason": "No."}, **token)

    assert told(refused) == (403, "mfa_setup_required")


@pytest.mark.usefixtures("_required")
def test_who_joins_later_has_time_from_then_on(user: User) -> None:
    provider = make_provider()  # approved long ago
    now = timezone.now()
    team.add(provider, email=user.email, role="staff", by=None)

    wall = second_factor.wall_of(user, now=now)

    assert wall is not None
    assert not wall.is_closed
    assert timedelta(days=13) < wall.due_at - now < timedelta(days=15)


def test_nobody_is_asked_where_the_site_does_not(user: User) -> None:
    make_provider(user)

    assert second_factor.wall_of(StaffFactory(), now=timezone.now()) is None
    assert second_factor.wall_of(user, now=timezone.now()) is None
