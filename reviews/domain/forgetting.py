"""What reviews keep about someone who closes the account: what everyone reads, under no name, and the stars."""

from datetime import datetime

from django.db.models import Q

from accounts.models import User
from providers.choices import MembershipRole
from providers.models import Membership
from reviews.choices import ReviewSide
from reviews.models import Flag, Reply, Review

GONE = "(removed)"


def forget(user: User, now: datetime) -> None:
    """Blank the words that were not for everyone: about the person, hidden ones, notes to staff.

    Public reviews stay and are signed by a former user; the figures stay true. What was said for a business, replies
    and words about owners, stays while somebody else manages it, and goes with the last one.
    """
    others = Membership.objects.filter(role=MembershipRole.MANAGER, user__is_active=True).exclude(user=user)
    is_kept = Q(provider__in=others.values("provider"))
    about = Q(side=ReviewSide.PROVIDER, booking__owner=user)
    hidden = Q(author=user, hidden_at__isnull=False)
    alone = Q(author=user, side=ReviewSide.PROVIDER) & ~is_kept
    Review.objects.filter(about | hidden | alone).exclude(text="").update(text="")
    Flag.objects.filter(by=user).update(note="", answer="")
    lonely = Reply.objects.filter(by=user).exclude(review__provider__in=others.values("provider"))
    lonely.update(text=GONE, hidden_at=now)
