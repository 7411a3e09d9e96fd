"""Keeping talks decent: people report and block, staff looks at what was reported and at nothing else."""

from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from messaging import chat_kinds
from messaging.choices import PEOPLE, ReportReason, Side
from messaging.domain.notifications import Notice, notify_all
from messaging.models import Block, Channel, Conversation, Message, Report, StaffLook
from messaging.models.conversation import TEXT_LENGTH, MessageQuerySet
from messaging.permissions import is_on_side, side_of
from petplace.errors import DomainError, InvalidInput, NotAllowed
from petplace.roles import Right, may

LOOK_LASTS = timedelta(hours=1)
OUTCOME_LENGTH = 1000


def report(
    conversation: Conversation,
    *,
    by: User,
    reason: str,
    text: str = "",
    message: Message | None = None,
    now: datetime,
    side: Side | None = None,
) -> Report:
    """Ask staff to look at a talk, or at one message of it. Raises ``already_reported`` while one is open."""
    side = _side(conversation, by, side)
    text = text.replace("\0", "").strip()
    if reason not in ReportReason.values:
        raise InvalidInput(fields={"reason": ["Choose one of the reasons."]})
    if len(text) > TEXT_LENGTH:
        raise InvalidInput(fields={"text": [f"At most {TEXT_LENGTH} characters."]})
    if message is not None and message.conversation_id != conversation.pk:
        raise InvalidInput(fields={"message": ["This message is not part of the conversation."]})
    try:
        with transaction.atomic():
            made = Report.objects.create(
                conversation=conversation,
                message=message,
                by=by,
                side=side,
                reason=reason,
                text=text,
                quote=message.text if message is not None else "",
                made_at=now,
            )
            _tell_staff(made, now)
    except IntegrityError as error:
        raise DomainError("You have reported this. We are looking at it.", code="already_reported") from error
    return made


def block(conversation: Conversation, *, by: User, side: Side | None = None) -> Block:
    """Hear nothing more of the other side, in this talk and any other with it, and book nothing more with it.

    Doing it twice is doing it once. Bookings that exist go on.
    """
    made, _ = Block.objects.get_or_create(
        provider_id=conversation.provider_id,
        owner_id=conversation.owner_id,
        side=_side(conversation, by, side),
        defaults={"by": by},
    )
    return made


def unblock(conversation: Conversation, *, by: User, side: Side | None = None) -> None:
    """Take back what one's own side has blocked."""
    Block.objects.filter(
        provider_id=conversation.provider_id, owner_id=conversation.owner_id, side=_side(conversation, by, side)
    ).delete()


def look(made: Report, *, by: User, now: datetime) -> StaffLook:
    """Open a reported talk to a member of staff for an hour, and write down that it was."""
    if not may(by, Right.MODERATE):
        raise NotAllowed
    with transaction.atomic():
        audit.record(AuditAction.VIEW_TALK, by=by, target=made, now=now)
        return StaffLook.objects.create(report=made, by=by, at=now)


def is_looking(made: Report, by: User, now: datetime) -> bool:
    return may(by, Right.MODERATE) and made.looks.filter(by=by, at__gt=now - LOOK_LASTS).exists()


def remove(messages: MessageQuerySet, *, now: datetime) -> int:
    """Take words and photos out of ``messages``; both sides read that they are gone. Returns how many it took.

    The files are deleted when the transaction has committed.
    """
    storage = Message._meta.get_field("photo").storage
    for name in messages.exclude(photo="").values_list("photo", flat=True):
        transaction.on_commit(partial(storage.delete, name), robust=True)
    return messages.filter(removed_at__isnull=True).update(text="", photo="", removed_at=now)


@transaction.atomic
def close(made: Report, *, by: User, outcome: str, now: datetime, removes_message: bool = False) -> Report:
    """Answer a report. Who made it reads ``outcome``. Raises DomainError ``already_closed``.

    ``removes_message`` takes the reported message out of the talk; its words stay in the report.
    """
    if not may(by, Right.MODERATE):
        raise NotAllowed
    outcome = outcome.replace("\0", "").strip()
    if not outcome:
        raise InvalidInput(fields={"outcome": ["Say what was done."]})
    made = (
        Report.objects.select_for_update(of=("self",), no_key=True)
        .select_related("by", "conversation__provider", "message")
        .get(pk=made.pk)
    )
    if not made.is_open:
        raise DomainError("This report was closed already.", code="already_closed")
    made.closed_at, made.closed_by, made.outcome = now, by, outcome[:OUTCOME_LENGTH]
    made.save(update_fields=["closed_at", "closed_by", "outcome"])
    if removes_message:
        if made.message is None:
            raise InvalidInput(fields={"removes_message": ["The whole conversation was reported, no single message."]})
        remove(Message.objects.filter(pk=made.message.pk), now=now)
    after = {"reason": made.reason, "message_removed": removes_message}
    audit.record(AuditAction.RESOLVE_REPORT, by=by, target=made, after=after, now=now)
    notify_all(
        [
            Notice(
                made.by,
                chat_kinds.REPORT_CLOSED,
                key=f"report:{made.uid}:closed",
                topic=f"report:{made.uid}",
                title="We have looked at your report",
                body=made.outcome,
                url=made.conversation.url_for(made.side),
            )
        ],
        now=now,
    )
    return made


def _side(conversation: Conversation, by: User, side: Side | None) -> Side:
    found = side_of(by, conversation) if side is None else side
    if found not in PEOPLE or not is_on_side(by, conversation, found):
        raise NotAllowed
    return found


def _tell_staff(made: Report, now: datetime) -> None:
    url = reverse("admin:messaging_report_change", args=[made.pk])
    notify_all(
        [
            Notice(
                person,
                chat_kinds.REPORT,
                key=f"report:{made.uid}",
                topic=f"report:{made.uid}",
                title=f"Reported: {made.get_reason_display()}",
                body="Somebody asks us to look at a conversation.",
                url=url,
                channels=(Channel.IN_APP,),
            )
            for person in User.objects.who_may(Right.MODERATE).order_by("pk")
        ],
        now=now,
    )
