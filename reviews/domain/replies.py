"""The provider's one public answer."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from reviews import permissions
from reviews.domain import locks, notices
from reviews.models import Reply, Review

TEXT_LENGTH = 2000


@transaction.atomic
def reply(review: Review, *, by: User, text: str, now: datetime) -> Reply:
    """Answer a published review, once; the owner is told. It cannot be changed later.

    Raises NotAllowed for anyone but a manager of the provider, InvalidTransition while the review is not to be seen,
    DomainError ``already_replied`` the second time.
    """
    if not permissions.can_reply(by, review):
        raise NotAllowed("Only managers of the provider answer its reviews.")
    text = text.replace("\0", "").strip()
    if not text or len(text) > TEXT_LENGTH:
        raise InvalidInput(fields={"text": [f"Write 1 to {TEXT_LENGTH} characters."]})
    locks.lock(review.booking_id)
    review = Review.objects.select_related("provider", "author", "booking").get(pk=review.pk)
    if not review.is_shown:
        raise InvalidTransition("Only a published review can be answered.")
    if Reply.objects.filter(review=review).exists():
        raise DomainError("This review is answered already.", code="already_replied")
    made = Reply.objects.create(review=review, by=by, text=text, made_at=now)
    notices.tell_reply(made, now=now)
    return made
