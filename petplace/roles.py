"""Who may do what: the roles of the product as data, in one place.

Predicates (``<app>/permissions.py``, querysets, the admin) ask here. What a role sees of its own and of other people's
things, address by address, stands in ``petplace/access.py`` and, for readers, in ``docs/permissions.md``.
"""

from enum import StrEnum
from typing import Any, Final


class Role(StrEnum):
    """Somebody may be several at once: each thing asks for the role that counts there."""

    VISITOR = "visitor"  # not signed in
    OWNER = "owner"  # everybody with an account, about their own things
    MEMBER = "provider staff"  # of a provider's team
    MANAGER = "provider manager"
    SUPPORT = "platform support"
    ADMIN = "platform admin"


class TeamRight(StrEnum):
    """What somebody may do at a provider in whose team they are."""

    WORK = "work"  # see the dashboard, answer requests, carry out visits, talk to owners
    OWN_HOURS = "own_hours"
    ALL_HOURS = "all_hours"
    MANAGE = "manage"  # profile, places, services, team, papers, money


class Right(StrEnum):
    """What staff of the platform may do."""

    READ = "read"  # accounts, pets, providers, bookings, payments: to answer questions
    MODERATE = "moderate"  # reported talks and reviews
    COMPLAINTS = "complaints"  # answer complaints and work on incidents; giving money back is another right
    DOCUMENTS = "documents"  # read and check the papers of providers
    PROVIDERS = "providers"  # approve, reject, suspend, reinstate
    BOOKINGS = "bookings"  # cancel and move visits on behalf of the platform
    REFUNDS = "refunds"
    PAYOUTS = "payouts"  # keep back, let go, approve, send again; calls of gateways, disputes, differences
    TERMS = "terms"  # commission and promo codes
    PEOPLE = "people"  # change, ban and close accounts
    ROLES = "roles"  # say who is staff, and in which role
    OUTBOX = "outbox"  # what left the system, word by word: sign-in links stand in it
    AUDIT = "audit"


TEAM_RIGHTS: Final = {
    "staff": frozenset({TeamRight.WORK, TeamRight.OWN_HOURS}),
    "manager": frozenset(TeamRight),
}
PLATFORM_RIGHTS: Final = {
    Role.SUPPORT: frozenset({Right.READ, Right.MODERATE, Right.COMPLAINTS}),
    Role.ADMIN: frozenset(Right),
}
# The groups that give the roles of the platform; ``accounts.domain.rights.sync_groups`` makes them.
GROUPS: Final = {Role.SUPPORT: "Platform support", Role.ADMIN: "Platform admin"}

# Which models of the administration a right opens: to look at, and to change (as far as the admin lets anybody).
VIEWS: Final = {
    Right.READ: (
        "accounts.user", "accounts.tokenfamily", "pets.pet", "pets.vaccination", "pets.carerecord",
        "providers.provider", "providers.membership", "providers.branch", "providers.resource", "providers.service",
        "providers.publicholiday", "providers.providerevent", "providers.profileedit",
        "bookings.booking", "bookings.bookingevent", "bookings.allocation", "bookings.quote", "bookings.quoteline",
        "payments.invoice", "payments.invoiceline", "payments.payment", "payments.refund", "payments.dispute",
        "reviews.review", "reviews.reply", "reviews.latecancellation", "messaging.notification", "messaging.delivery",
    ),
    Right.MODERATE: ("messaging.report", "messaging.stafflook", "reviews.flag"),
    Right.COMPLAINTS: ("bookings.complaint", "bookings.incident", "bookings.incidentnote"),
    Right.DOCUMENTS: ("providers.verificationdocument",),
    Right.PAYOUTS: (
        "payments.payout", "payments.payoutitem", "payments.payoutapproval", "payments.payoutfreeze",
        "payments.ledgerentry", "payments.ledgerline", "payments.ledgeraccount", "payments.gatewaycall",
        "payments.gatewayevent", "payments.reconciliationrun", "payments.reconciliationdifference",
    ),
    Right.TERMS: ("payments.commissionrule", "payments.promocode", "payments.promoredemption"),
    Right.AUDIT: ("accounts.auditentry", "admin.logentry"),
    Right.ROLES: ("auth.group",),
}  # fmt: skip
CHANGES: Final = {
    Right.MODERATE: ("messaging.report", "reviews.flag"),
    Right.COMPLAINTS: ("bookings.complaint", "bookings.incident"),
    Right.BOOKINGS: ("bookings.booking",),
    Right.TERMS: ("payments.commissionrule", "payments.promocode"),
    Right.PEOPLE: ("accounts.user",),
}
ADDS: Final = {
    Right.COMPLAINTS: ("bookings.incident",),
    Right.TERMS: ("payments.commissionrule", "payments.promocode"),
    Right.PEOPLE: ("accounts.user",),
}
DELETES: Final = {Right.TERMS: ("payments.commissionrule",)}


def team_may(role: str | None, right: TeamRight) -> bool:
    """Whether a member of a team with ``role`` (None: no member) has ``right`` there."""
    return role is not None and right in TEAM_RIGHTS[role]


def may(user: Any, right: Right) -> bool:
    """Whether ``user`` (signed in or not) has ``right`` as staff of the platform. Costs nothing for everybody else."""
    return right in rights_of(user)


def rights_of(user: Any) -> frozenset[Right]:
    """Return what ``user`` may do as staff; asked once per object of a user, as Django does with its permissions."""
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return frozenset()
    if user.is_superuser:
        return PLATFORM_RIGHTS[Role.ADMIN]
    if not hasattr(user, "_platform_rights"):
        names = set(user.groups.values_list("name", flat=True))
        held = (rights for role, rights in PLATFORM_RIGHTS.items() if GROUPS[role] in names)
        user._platform_rights = frozenset().union(*held)
    found: frozenset[Right] = user._platform_rights
    return found


def groups_with(right: Right) -> list[str]:
    """Return the names of the groups that give ``right``."""
    return [GROUPS[role] for role, rights in PLATFORM_RIGHTS.items() if right in rights]


def codenames(role: Role) -> set[str]:
    """Return the permissions of the administration that ``role`` has, as ``app.action_model``."""
    found = set()
    for action, table in (("view", VIEWS), ("change", CHANGES), ("add", ADDS), ("delete", DELETES)):
        for right in PLATFORM_RIGHTS[role]:
            for label in table.get(right, ()):
                app, _, model = label.partition(".")
                found.add(f"{app}.{action}_{model}")
    return found
