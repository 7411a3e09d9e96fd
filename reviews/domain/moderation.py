"""Objecting to a review or a reply, and what staff decides about it. Hidden reviews leave the lists and the figures."""

from datetime import datetime, timedelta

from django.db import transaction

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.roles import Right, may
from reviews import permissions
from reviews.choices import Decision, FlagReason, FlagTarget
from reviews.domain import figures, locks, notices
from reviews.models import Flag, LateCancellation, Reply, Review

TEXT_LENGTH = 1000
FLAGS_A_DAY = 20


@transaction.atomic
def flag(
    review: Review, *, by: User, reason: str, note: str = "", target: str = FlagTarget.REVIEW, now: datetime
) -> Flag:
    """Ask staff to look at a review, or at its reply. Nothing is hidden by that alone.

    Raises NotAllowed for what ``by`` cannot see or wrote, InvalidInput for an unknown reason, DomainError
    ``already_flagged`` the second time and ``too_many_flags`` after twenty in a day.
    """
    fields = _checked_flag(reason, note, target)
    if fields:
        raise InvalidInput(fields=fields)
    locks.lock(review.booking_id)
    review = _loaded(review)
    if not permissions.can_see(by, review) or (target == FlagTarget.REPLY and review.shown_reply is None):
        raise NotAllowed("There is nothing to see.")
    if by.pk == (review.author_id if target == FlagTarget.REVIEW else review.reply.by_id):
        raise NotAllowed("You wrote this yourself.")
    if not review.is_shown:
        raise InvalidTransition("This review is not published.")
    if Flag.objects.filter(review=review, target=target, by=by).exists():
        raise DomainError("You have reported this already.", code="already_flagged")
    if Flag.objects.filter(by=by, made_at__gt=now - timedelta(days=1)).count() >= FLAGS_A_DAY:
        raise DomainError("You have reported a lot today. We look at it first.", code="too_many_flags")
    made = Flag.objects.create(review=review, by=by, reason=reason, note=_clean(note), target=target, made_at=now)
    notices.tell_flag(made, now=now)
    return made


@transaction.atomic
def decide(made: Flag, *, by: User, decision: str, answer: str, now: datetime) -> Flag:
    """Hide what was objected to, or keep it. All open objections to it are answered alike, and the author is told.

    Raises NotAllowed for anyone who may not moderate, DomainError ``already_closed`` when somebody was faster.
    """
    _need_right(by)
    _need_reason(answer, "answer")
    if decision not in Decision.values:
        raise InvalidInput(fields={"decision": ["Hide it or keep it."]})
    locks.lock(made.review.booking_id)
    made = Flag.objects.get(pk=made.pk)
    if not made.is_open:
        raise DomainError("This was decided already.", code="already_closed")
    review = _loaded(made.review)
    alike = list(Flag.objects.filter(review=review, target=made.target, closed_at__isnull=True).select_related("by"))
    for one in alike:
        one.decision, one.answer, one.closed_at, one.closed_by = decision, _clean(answer), now, by
        one.save(update_fields=["decision", "answer", "closed_at", "closed_by"])
        one.review = review
        notices.tell_decided(one, now=now)
    made = next(one for one in alike if one.pk == made.pk)
    thing = _thing(review, made.target)
    before = {"target": made.target, "is_hidden": thing.hidden_at is not None}
    if decision == Decision.HIDE:
        _set_hidden(thing, now)
    audit.record(
        AuditAction.MODERATE_REVIEW,
        by=by,
        target=review,
        before=before,
        after=before | {"is_hidden": thing.hidden_at is not None, "decision": decision},
        reason=_clean(answer),
        now=now,
    )
    notices.tell_author(made, now=now)
    return made


@transaction.atomic
def show_again(thing: Review | Reply, *, by: User, reason: str, now: datetime) -> Review | Reply:
    """Take back that a review or a reply was hidden. Raises InvalidTransition when it is not."""
    _need_right(by)
    _need_reason(reason, "reason")
    review = thing if isinstance(thing, Review) else thing.review
    locks.lock(review.booking_id)
    thing = _thing(_loaded(review), FlagTarget.REVIEW if isinstance(thing, Review) else FlagTarget.REPLY)
    if thing.hidden_at is None:
        raise InvalidTransition("It is not hidden.")
    _set_hidden(thing, None)
    target = {"target": (FlagTarget.REVIEW if isinstance(thing, Review) else FlagTarget.REPLY).value}
    audit.record(
        AuditAction.MODERATE_REVIEW,
        by=by,
        target=review,
        before=target | {"is_hidden": True},
        after=target | {"is_hidden": False},
        reason=_clean(reason),
        now=now,
    )
    return thing


@transaction.atomic
def hide_cancellation(
    record: LateCancellation, *, by: User, reason: str, is_hidden: bool, now: datetime
) -> LateCancellation:
    """Take a record of a late cancellation off the profile that the provider is not to blame for, or put it back."""
    _need_right(by)
    _need_reason(reason, "reason")
    record = LateCancellation.objects.select_for_update(no_key=True, of=("self",)).get(pk=record.pk)
    if (record.hidden_at is not None) == is_hidden:
        raise InvalidTransition("It is so already.")
    record.hidden_at = now if is_hidden else None
    record.save(update_fields=["hidden_at"])
    audit.record(
        AuditAction.MODERATE_REVIEW,
        by=by,
        target=record,
        before={"is_hidden": not is_hidden},
        after={"is_hidden": is_hidden},
        reason=_clean(reason),
        now=now,
    )
    return record


def _loaded(review: Review) -> Review:
    return Review.objects.select_related("author", "provider", "booking__owner", "reply__by").get(pk=review.pk)


def _thing(review: Review, target: str) -> Review | Reply:
    if target == FlagTarget.REVIEW:
        return review
    reply: Reply = review.reply
    return reply


def _set_hidden(thing: Review | Reply, hidden_at: datetime | None) -> None:
    """Hide it or show it again, once; of a review the figures follow."""
    if (thing.hidden_at is None) == (hidden_at is None):
        return
    thing.hidden_at = hidden_at
    thing.save(update_fields=["hidden_at"])
    if isinstance(thing, Review):
        (figures.add if hidden_at is None else figures.take)(thing)


def _need_right(by: User) -> None:
    if not may(by, Right.MODERATE):
        raise NotAllowed


def _need_reason(text: str, field: str) -> None:
    if not _clean(text) or len(_clean(text)) > TEXT_LENGTH:
        raise InvalidInput(fields={field: [f"Say why, in 1 to {TEXT_LENGTH} characters."]})


def _checked_flag(reason: str, note: str, target: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    if reason not in FlagReason.values:
        fields["reason"] = ["Choose one of the reasons."]
    elif reason == FlagReason.OTHER and not _clean(note):
        fields["note"] = ["Say what it is."]
    if len(_clean(note)) > TEXT_LENGTH:
        fields["note"] = [f"Use at most {TEXT_LENGTH} characters."]
    if target not in FlagTarget.values:
        fields["target"] = ["The review or the reply."]
    return fields


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()
