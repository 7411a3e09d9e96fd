"""The roles of the platform: support reads, moderates and answers; admins decide."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from accounts.domain import rights
from accounts.models import User
from bookings.domain import aftercare, incidents, lifecycle
from bookings.models import Booking, Complaint
from bookings.permissions import allowed_actions, can_cancel, can_view
from petplace import roles
from petplace.errors import InvalidInput, NotAllowed
from petplace.roles import GROUPS, Right, Role, TeamRight
from providers.permissions import can_check, can_review
from tests.factories import NOW, StaffFactory, UserFactory, make_admin, make_booking, make_provider, make_support

pytestmark = pytest.mark.django_db
DECISIONS = {
    Right.DOCUMENTS, Right.PROVIDERS, Right.BOOKINGS, Right.REFUNDS, Right.PAYOUTS, Right.TERMS, Right.PEOPLE,
    Right.ROLES, Right.OUTBOX, Right.AUDIT,
}  # fmt: skip


def test_support_has_none_of_the_decisions() -> None:
    support = make_support()

    assert roles.rights_of(support) == set(Right) - DECISIONS
    assert (can_review(support), can_check(support)) == (False, False)


@pytest.mark.parametrize("make", [make_admin, StaffFactory])
def test_admins_and_superusers_have_all(make: type[StaffFactory]) -> None:
    assert roles.rights_of(make()) == set(Right)


def test_a_role_counts_for_active_staff_alone() -> None:
    group = Group.objects.get(name=GROUPS[Role.ADMIN])
    for fields in ({}, {"is_staff": True, "is_active": False}):
        user = UserFactory(**fields)
        user.groups.add(group)
        assert roles.rights_of(user) == set()
    assert roles.rights_of(UserFactory(is_staff=True)) == set()


def test_who_is_told_are_those_with_the_right() -> None:
    support, admin, boss = make_support(), make_admin(), StaffFactory()
    UserFactory(is_staff=True)

    assert list(User.objects.who_may(Right.MODERATE)) == [support, admin, boss]
    assert list(User.objects.who_may(Right.PAYOUTS)) == [admin, boss]


def test_groups_are_brought_back_to_what_the_code_says() -> None:
    group = Group.objects.get(name=GROUPS[Role.SUPPORT])
    before = set(group.permissions.values_list("codename", flat=True))
    group.permissions.clear()

    rights.sync_groups()

    assert set(group.permissions.values_list("codename", flat=True)) == before
    assert {"view_booking", "change_complaint"} <= before
    assert not {"view_payout", "change_booking", "view_verificationdocument", "change_user", "view_auditentry"} & before


def test_support_looks_at_a_booking_and_ends_none() -> None:
    booking, support = make_booking(), make_support()

    assert can_view(support, booking)
    assert Booking.objects.visible_to(support).get() == booking
    assert (can_cancel(support, booking), allowed_actions(support, booking, now=NOW)) == (False, [])
    with pytest.raises(NotAllowed):
        lifecycle.cancel(booking, by=support, now=NOW)
    assert lifecycle.cancel(booking, by=make_admin(), now=NOW).state == "cancelled"


def test_support_answers_a_complaint_and_gives_no_money_back() -> None:
    booking, support = make_booking(state="completed"), make_support()
    complaint = Complaint.objects.create(booking=booking, by=booking.owner, text="Bad.", made_at=NOW)

    with pytest.raises(NotAllowed):
        aftercare.close_complaint(complaint, by=support, answer="Sorry.", refund_amount=1, now=NOW)
    client = Client()
    client.force_login(support)
    page = f"/admin/bookings/complaint/{complaint.pk}/change/"
    assert b'name="refund"' not in client.get(page).content
    client.post(page, {"answer": "We are sorry.", "refund": "1"})

    complaint.refresh_from_db()
    assert (complaint.answer, complaint.refund_amount, complaint.closed_by) == ("We are sorry.", 0, support)


def test_support_follows_a_safety_report() -> None:
    support, bare = make_support(), UserFactory(is_staff=True)
    incident = incidents.report_by_staff(kind="other", text="Heard.", by=support, provider=make_provider(), now=NOW)

    with pytest.raises(NotAllowed):
        incidents.follow(incident, by=bare, note="Me too.", now=NOW)
    with pytest.raises(InvalidInput):
        incidents.follow(incident, by=support, assigned_to=bare, now=NOW)
    assert incidents.resolve(incident, by=support, resolution="Settled.", now=NOW).resolved_by == support


def test_who_changes_people_does_not_touch_those_who_may_more() -> None:
    helper, admin, person = UserFactory(is_staff=True), make_admin(), UserFactory()
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = Client()
    client.force_login(helper)

    statuses = [
        client.get(f"/admin/accounts/user/{one.pk}/password/").status_code for one in (person, admin, StaffFactory())
    ]

    assert statuses == [200, 403, 403]


def test_an_admin_gives_roles_and_makes_nobody_a_superuser() -> None:
    admin, person = make_admin(), UserFactory()
    client = Client()
    client.force_login(admin)
    page = f"/admin/accounts/user/{person.pk}/change/"
    form = {"full_name": person.full_name, "time_zone": "UTC", "locale": "en-us"}
    form |= {"is_staff": "on", "is_superuser": "on"}

    answer = client.post(page, form | {"groups": [Group.objects.get(name=GROUPS[Role.SUPPORT]).pk]})

    person = User.objects.get(pk=person.pk)
    assert answer.status_code == 302
    assert (person.is_staff, person.is_superuser) == (True, False)
    assert roles.rights_of(person) == roles.PLATFORM_RIGHTS[Role.SUPPORT]


def test_members_work_and_managers_manage() -> None:
    assert [roles.team_may(role, TeamRight.WORK) for role in (None, "staff", "manager")] == [False, True, True]
    assert [roles.team_may(role, TeamRight.MANAGE) for role in (None, "staff", "manager")] == [False, False, True]
