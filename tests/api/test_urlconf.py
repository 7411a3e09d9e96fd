"""Every address of the site is marked public or guarded here, and does what its mark says.

A new address fails this test until it is in the table: nobody opens a page to the world by forgetting a decorator.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.api.addresses import ALL, PASSKEYS, page_url
from tests.api.operations import World, operations

PUBLIC = {
    "home",
    "how_it_works",
    "terms",
    "privacy",
    "trust",
    "provider:document_open",  # the signed address is the key, for five minutes and one person
    "search",
    "search_places",
    "provider_detail",
    "provider_avatar",
    "provider_photo",
    "provider_reviews",
    "bookings:book",  # the price before any account
    "manifest",
    "service_worker",
    "offline",  # made for nobody: what it shows is kept on the device
    "security_txt",
    "healthz",
    "readyz",
    "metrics",  # guarded by a token of its own in production
    "live_stream",  # answer scripts: 401 and 403 instead of a page to sign in
    "live_poll",
    "live_badges",
    "sandbox:pay",  # as at a payment service: who has the unguessable reference may pay
    "sandbox:challenge",
    "sandbox:connect",
    "ui-gallery",  # the demo's and developers' gallery of components
    "api-schema",
    "api-docs",
    "messaging:unsubscribe",  # the signed address in a mail is the key
    "bookings:link",
    "accounts:export_file",  # the signed address, which dies within minutes, is the key
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_confirm_login_code",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",  # the second step of signing in: back to the first without it
    "mfa_login_webauthn",
    "openid_connect_login",
    "openid_connect_callback",
    "socialaccount_login_cancelled",
    "socialaccount_login_error",
    "socialaccount_signup",
}
SIGNED_IN = {
    "bookings:incident",
    "account_reauthenticate",
    "account_email",
    "account_change_password",
    "account_set_password",
    "usersessions_list",
    "accounts:settings",
    "accounts:apps",
    "accounts:end_app",
    "accounts:end_all",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_download_recovery_codes",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "mfa_edit_webauthn",
    "mfa_remove_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "socialaccount_connections",
    "accounts:close",
    "accounts:privacy",
    "accounts:export",
    "accounts:news",
    "pets:list",
    "pets:create",
    "pets:detail",
    "pets:edit",
    "pets:archive",
    "pets:restore",
    "pets:remove",
    "pets:photo",
    "pets:vaccination_add",
    "pets:vaccination_remove",
    "pets:document",
    "pets:record_add",
    "pets:record_remove",
    "pets:attachment",
    "provider:index",
    "provider:apply",
    "provider:places",
    "provider:document_file",
    "provider:apply_you",
    "provider:apply_place",
    "provider:apply_service",
    "provider:apply_hand_in",
    "provider:profile",
    "provider:avatar_remove",
    "provider:photo_add",
    "provider:photo_remove",
    "provider:documents",
    "provider:document_remove",
    "provider:branches",
    "provider:branch_create",
    "provider:branch_edit",
    "provider:branch_remove",
    "provider:resources",
    "provider:resource_create",
    "provider:resource_edit",
    "provider:resource_remove",
    "provider:services",
    "provider:service_create",
    "provider:service_edit",
    "provider:service_toggle",
    "provider:service_remove",
    "provider:hours",
    "provider:hours_of",
    "provider:override_add",
    "provider:override_remove",
    "provider:time_off_add",
    "provider:time_off_remove",
    "provider:team",
    "provider:member_role",
    "provider:member_remove",
    "provider:today",
    "provider:requests",
    "provider:calendar",
    "provider:calendar_events",
    "provider:calendar_move",
    "provider:bookings",
    "provider:booking",
    "provider:move",
    "provider:step",
    "provider:reasoned_step",
    "provider:extra",
    "provider:invoices",
    "provider:invoice",
    "provider:promo_codes",
    "provider:promo_code_end",
    "provider:invoice_pdf",
    "provider:invoice_cash",
    "provider:finance",
    "provider:finance_csv",
    "provider:receivables",
    "provider:payouts",
    "provider:payouts_set_up",
    "provider:payouts_back",
    "provider:expenses",
    "provider:expense",
    "provider:expense_remove",
    "provider:expense_receipt",
    "provider:reviews",
    "provider:review",
    "provider:review_reply",
    "bookings:list",
    "bookings:home",
    "bookings:feeds",
    "bookings:make_feed",
    "bookings:revoke_feed",
    "bookings:quick_pet",
    "bookings:hold",
    "bookings:detail",
    "bookings:checkout",
    "bookings:place",
    "bookings:cancel",
    "bookings:move",
    "bookings:calendar_file",
    "bookings:tip",
    "bookings:complaint",
    "bookings:coming",
    "bookings:access",
    "messaging:list",
    "messaging:read",
    "messaging:read_all",
    "messaging:open",
    "messaging:preferences",
    "messaging:preferences_switch",
    "dev:outbox",
    "dev:outbox_message",
    "dev:outbox_html",
    "messaging:devices",
    "messaging:device_add",
    "messaging:device_forget",
    "messaging:device_remove",
    "messaging:address",
    "conversations:messages",
    "conversations:conversation",
    "conversations:conversation_since",
    "conversations:conversation_send",
    "conversations:conversation_read",
    "conversations:conversation_delivered",
    "conversations:conversation_mute",
    "conversations:conversation_report",
    "conversations:conversation_block",
    "conversations:conversation_unblock",
    "conversations:photo",
    "conversations:ask",
    "provider:messages",
    "provider:conversation",
    "provider:conversation_since",
    "provider:conversation_send",
    "provider:conversation_read",
    "provider:conversation_delivered",
    "provider:conversation_mute",
    "provider:conversation_report",
    "provider:conversation_block",
    "provider:conversation_unblock",
    "provider:quick_replies",
    "provider:quick_reply",
    "provider:quick_reply_remove",
    "offline_bookings",
    "payments:list",
    "payments:detail",
    "payments:pay",
    "payments:return",
    "payments:pdf",
    "reviews:write",
    "reviews:flag",
}
# The address itself is the key: no cookie is asked, so there is nothing that a token would protect.
KEYED = {"messaging:unsubscribe", "bookings:link"}
# Named, but about the caller or about what everybody may see: a stranger is no stranger there.
NOBODYS = {"bookings:quick_pet", "bookings:hold", "conversations:ask", "reviews:flag", *PASSKEYS}


# allauth's redirects from old addresses have no name; what they lead to is walked.
LEGACY = {f"accounts/social/{end}/" for end in ("login/cancelled", "login/error", "signup", "connections")}
PAGES = {
    name: pattern
    for route, name, pattern in ALL
    if not route.startswith(("api/", "^api/")) and not name.startswith("admin:") and route not in LEGACY
}
GUARDED = sorted(SIGNED_IN & set(PAGES))


def test_every_page_is_in_the_table() -> None:
    assert set(PAGES) - PUBLIC - SIGNED_IN == set()
    assert not PUBLIC & SIGNED_IN


PLUMBING = {
    "api-schema", "api-docs", "api-not-found", "api-webhook", "api-webhook-twilio", "api-webhook-sendgrid"
}  # fmt: skip


def test_every_api_address_is_documented_or_one_of_the_plumbing() -> None:
    documented = {operation.path.replace("{", "<").replace("}", ">") for operation in operations()}
    for route, name, _ in ALL:
        if route.startswith("api/v1/") and name not in PLUMBING:
            plain = "".join(f"<{part.rpartition(':')[2]}" if ":" in part else part for part in _parts(route))
            assert f"/{plain}" in documented, route


def _parts(route: str) -> list[str]:
    first, *rest = route.split("<")
    return [first, *(f"{part}" if ":" in part else f"<{part}" for part in rest)]


@pytest.mark.parametrize("name", GUARDED)
def test_guarded_page_sends_strangers_to_sign_in(world: World, client: Client, name: str) -> None:
    url = page_url(world, name, PAGES[name])

    answers = [client.get(url), client.post(url)]

    assert {answer.status_code for answer in answers} <= {302, 405}
    sent = {answer.headers["Location"].partition("?")[0] for answer in answers if answer.status_code == 302}
    assert sent == {"/accounts/login/"}


@pytest.mark.parametrize(
    "name", [name for name in GUARDED if PAGES[name].pattern.regex.groupindex and name not in NOBODYS]
)  # type: ignore[attr-defined]
def test_guarded_page_of_somebody_else_is_not_there(world: World, client: Client, name: str) -> None:
    client.force_login(world.stranger)
    url = page_url(world, name, PAGES[name])

    statuses = {client.get(url).status_code, client.post(url).status_code}

    assert statuses <= {404, 405}
    assert 404 in statuses


UNTOKENED = {"security_txt", "healthz", "readyz", "metrics", "manifest", "service_worker", "offline"}


@pytest.mark.parametrize("name", sorted(set(PAGES) - KEYED - UNTOKENED))
def test_page_refuses_a_change_without_its_token(world: World, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)

    assert client.post(page_url(world, name, PAGES[name])).status_code == 403


@pytest.mark.parametrize("name", sorted(KEYED))
def test_page_with_its_key_in_the_address_refuses_every_other(world: World, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    url = page_url(world, name, PAGES[name])

    assert {client.get(url).status_code, client.post(url).status_code} == {404}


@pytest.mark.parametrize("name", sorted(name for _, name, _ in ALL if name.startswith("admin:")))
def test_administration_is_for_staff(world: World, client: Client, name: str) -> None:
    pattern = next(pattern for _, found, pattern in ALL if found == name)
    groups = pattern.pattern.regex.groupindex
    kwargs: dict[str, Any] = dict.fromkeys(groups, "1")
    if name in ("admin:login", "admin:logout", "admin:"):
        return
    if name == "admin:app_list":
        kwargs = {"app_label": "accounts"}
    url = reverse(name, kwargs=kwargs)
    client.force_login(world.owner)

    answer = client.get(url)

    assert answer.status_code in (302, 405), name
    assert answer.status_code == 405 or answer.headers["Location"].startswith("/admin/login/")
