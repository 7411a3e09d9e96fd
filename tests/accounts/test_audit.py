"""Who did what: a row for each act, which nobody can change, found by staff."""

import logging

import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.domain import audit, closing, credentials, rights
from accounts.models import AuditAction, AuditEntry, User
from messaging.domain import moderation
from payments.domain import payouts, promo_codes, refunds
from petplace import request_context
from petplace.errors import InvalidTransition
from petplace.request_context import RequestContext
from providers.domain import applications, documents, team
from tests.factories import NOW, StaffFactory, UserFactory, make_promo, make_provider, make_talk
from tests.payments.steps import earn, make_sale, pay

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(db: None) -> User:
    return StaffFactory(email="boss@example.test")


@pytest.fixture
def entry(staff: User) -> AuditEntry:
    return audit.record(AuditAction.BLOCK_USER, by=staff, target=UserFactory(), reason="Rude", now=NOW)


def _last(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("pk")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE accounts_auditentry SET reason = 'x'",
        "UPDATE accounts_auditentry SET actor_id = NULL",
        "DELETE FROM accounts_auditentry",
    ],
)
def test_what_is_written_cannot_be_changed(entry: AuditEntry, sql: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert AuditEntry.objects.get().reason == "Rude"


@pytest.mark.usefixtures("entry")
def test_the_audit_cannot_be_emptied_unless_a_test_run_says_so() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL petplace.test_run = 'off'")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_auditentry")


def test_a_row_names_staff_and_only_numbers_others(staff: User) -> None:
    user = UserFactory(email="ann@example.test", full_name="Ann Example")
    token = request_context.enter(RequestContext("abc-12345678", "192.0.2.7"))
    try:
        made = audit.record("block_user", by=staff, target=user, before={"a": 1}, after={"a": NOW}, now=NOW)
        own = audit.record("export", by=user, target=user)
    finally:
        request_context.leave(token)
    made.refresh_from_db()

    assert (made.at, made.actor, made.actor_uid, made.actor_label) == (NOW, staff, staff.uid, "boss@example.test")
    assert (made.target_kind, made.target_uid, made.target_label) == (
        "accounts.user",
        str(user.uid),
        f"Person {str(user.uid)[:8]}",
    )
    assert (made.before, made.after) == ({"a": 1}, {"a": NOW.isoformat().replace("+00:00", "Z")})
    assert (made.request_id, made.ip) == ("abc-12345678", "192.0.2.7")
    assert own.actor_label == f"Person {str(user.uid)[:8]}"


def test_an_unknown_action_is_a_fault_of_ours(staff: User) -> None:
    with pytest.raises(ValueError, match="is not a valid AuditAction"):
        audit.record("whatever", by=staff, target=staff, now=NOW)


def test_an_act_that_is_taken_back_leaves_no_row(staff: User) -> None:
    with pytest.raises(InvalidTransition):
        applications.reinstate(make_provider(), by=staff, now=NOW)

    assert not AuditEntry.objects.filter(action="reinstate_provider").exists()


def test_decisions_about_a_provider(staff: User) -> None:
    provider = make_provider(state="submitted")
    file = ContentFile(b"%PDF-1.4", name="x.pdf")
    document = documents.add(provider, kind="licence", file=file, now=NOW)
    documents.check(document, by=staff, is_accepted=True, now=NOW)
    applications.approve(provider, by=staff, now=NOW)
    applications.suspend(provider, by=staff, now=NOW, reason="A complaint")
    applications.reinstate(provider, by=staff, now=NOW)
    applications.reject(make_provider(state="submitted"), by=staff, now=NOW, reason="No")

    seen = [
        (row.action, row.reason, row.before, row.after)
        for row in AuditEntry.objects.filter(target_uid=provider.uid, actor=staff).order_by("pk")
    ]
    assert seen == [
        ("approve_provider", "", {"state": "submitted"}, {"state": "approved"}),
        ("suspend_provider", "A complaint", {"state": "approved"}, {"state": "suspended"}),
        ("reinstate_provider", "", {"state": "suspended"}, {"state": "approved"}),
    ]
    checked = _last("check_document")
    assert (checked.target_uid, checked.before, checked.after) == (
        str(document.uid),
        {"accepted": None, "valid_until": None},
        {"accepted": True, "valid_until": None, "kind": "licence", "provider": str(provider.uid)},
    )
    assert _last("reject_provider").reason == "No"


def test_roles_in_a_team_and_at_the_platform(staff: User) -> None:
    provider, user = make_provider(), UserFactory()
    number = str(provider.uid)
    member = team.add(provider, email=user.email, by=staff, now=NOW)
    team.change_role(member, role="manager", by=staff, now=NOW)
    team.remove(member, by=staff, now=NOW)
    before = rights.of(user)
    user.is_staff = True
    rights.record_change(user, before=before, by=staff, now=NOW)
    rights.record_change(user, before=rights.of(user), by=staff, now=NOW)

    rows = AuditEntry.objects.filter(action="role_change", target_uid=user.uid).order_by("pk")
    assert [(row.before, row.after) for row in rows] == [
        ({"provider": number, "role": None}, {"provider": number, "role": "staff"}),
        ({"provider": number, "role": "staff"}, {"provider": number, "role": "manager"}),
        ({"provider": number, "role": "manager"}, {"provider": number, "role": None}),
        ({"staff": False}, {"staff": True}),
    ]


def test_money_that_people_move(staff: User) -> None:
    sale = make_sale()
    payment = pay(sale)
    earn(sale)
    refunds.request(payment, amount=300, by=staff, reason="It rained", now=NOW)
    payouts.freeze(sale, reason="Wait", by=staff, now=NOW)
    payouts.unfreeze(sale, by=staff, now=NOW)
    promo = make_promo(by=staff, now=NOW)
    promo_codes.end(promo, by=staff, now=NOW)

    refund = _last("refund")
    assert (refund.actor, refund.reason, refund.after["amount"]) == (staff, "It rained", 300)
    assert (_last("payout_hold").reason, _last("payout_release").after) == ("Wait", {"lifted": 1})
    ended = _last("promo_change")
    assert (ended.target_label, ended.before["is_active"], ended.after["is_active"]) == (
        "Promo code SPRING",
        True,
        False,
    )


def test_accounts_and_talks(staff: User) -> None:
    user = UserFactory()
    credentials.block(user, by=staff, now=NOW, reason="Rude")
    credentials.unblock(user, by=staff, now=NOW)
    talk = make_talk()
    report = moderation.report(talk, by=talk.owner, reason="spam", now=NOW)
    moderation.look(report, by=staff, now=NOW)
    moderation.close(report, by=staff, outcome="Seen", now=NOW)
    closing.close(user, by=staff, now=NOW)

    assert [(row.action, row.target_kind) for row in AuditEntry.objects.filter(actor=staff).order_by("pk")] == [
        ("block_user", "accounts.user"),
        ("unblock_user", "accounts.user"),
        ("view_talk", "messaging.report"),
        ("resolve_report", "messaging.report"),
        ("close_account", "accounts.user"),
    ]


def test_the_request_is_named_in_answers_log_lines_and_rows(
    client: Client, staff: User, caplog: pytest.LogCaptureFixture
) -> None:
    client.force_login(staff)
    caplog.handler.addFilter(request_context.RequestIdFilter())
    user = UserFactory()
    body = {"action": "ban", "_selected_action": [user.pk]}
    headers = {"X-Request-ID": "proxy-0001-abcd"}
    with caplog.at_level(logging.WARNING):
        answer = client.post(reverse("admin:accounts_user_changelist"), body, headers=headers)
        client.get("/nowhere/", headers=headers)

    row = _last("block_user")
    assert (answer["X-Request-ID"], row.request_id, row.ip) == ("proxy-0001-abcd", "proxy-0001-abcd", "127.0.0.1")
    assert [getattr(record, "request_id", None) for record in caplog.records if "/nowhere/" in record.getMessage()] == [
        "proxy-0001-abcd"
    ]
    assert request_context.current() == request_context.NONE


@pytest.mark.parametrize("asked", ["", "short", "a" * 65, "abc defgh ijk", "x\x1b[31mforged", "../../etc/passwd"])
def test_an_id_that_could_forge_a_line_is_replaced(client: Client, asked: str) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": asked})

    assert answer["X-Request-ID"] != asked
    assert len(answer["X-Request-ID"]) == 32


def test_a_job_is_named() -> None:
    from petplace.celery import app

    seen: list[str] = []

    def note() -> None:
        seen.append(request_context.current().request_id)

    app.task(name="tests.named")(note).apply(task_id="7c1d")

    assert seen == ["job-7c1d"]
    assert request_context.current() == request_context.NONE


def test_staff_search_and_cannot_change(client: Client, entry: AuditEntry, staff: User) -> None:
    client.force_login(staff)
    target = User.objects.get(uid=entry.target_uid)
    other = audit.record("export", by=None, target=UserFactory(), now=NOW)
    url = reverse("admin:accounts_auditentry_changelist")

    def found(**query: str) -> set[int]:
        return {row.pk for row in client.get(url, query).context["cl"].result_list}

    assert found() >= {entry.pk, other.pk}
    assert found(q=target.email) == {entry.pk}
    assert found(q=str(target.uid)) == {entry.pk}
    assert found(q=staff.email) == {entry.pk}
    assert found(action="export") == {other.pk}
    page = client.get(reverse("admin:accounts_auditentry_change", args=[entry.pk]))
    assert reverse("admin:accounts_user_change", args=[target.pk]) in page.text
    assert client.post(reverse("admin:accounts_auditentry_change", args=[entry.pk]), {"reason": "x"}).status_code == 403
    assert client.post(reverse("admin:accounts_auditentry_delete", args=[entry.pk]), {"post": "yes"}).status_code == 403
    assert client.get(reverse("admin:accounts_auditentry_add")).status_code == 403


def test_rights_given_in_the_admin_and_commission_are_on_record(client: Client, staff: User) -> None:
    client.force_login(staff)
    user = UserFactory()
    url = reverse("admin:accounts_user_change", args=[user.pk])
    form = client.get(url).context["adminform"].form
    data = {name: form.get_initial_for_field(field, name) or "" for name, field in form.fields.items()}
    answer = client.post(url, data | {"is_staff": "on", "groups": [], "user_permissions": []})
    made = client.post(
        reverse("admin:payments_commissionrule_add"), {"provider_kind": "walker", "provider_bp": 900, "owner_bp": 0}
    )

    assert (answer.status_code, made.status_code) == (302, 302), answer.context and answer.context["errors"]
    row = _last("role_change")
    assert (row.actor, row.target_uid, row.before, row.after) == (
        staff,
        str(user.uid),
        {"staff": False},
        {"staff": True},
    )
    assert _last("commission_change").after["provider_bp"] == 900
