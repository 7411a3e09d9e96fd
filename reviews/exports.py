"""Which rows of reviews are a person's own: what they wrote, and what is recorded of the businesses they manage.

What providers wrote about an owner is for providers alone, and what others objected to is theirs.
"""

from accounts.domain import exporting
from providers.exports import managed
from reviews.models import Flag, LateCancellation, Reply, Review


def register() -> None:
    exporting.register(
        Review, lambda user: Review.objects.filter(author=user), skip=("author",), names=("provider__name",)
    )
    exporting.register(Reply, lambda user: Reply.objects.filter(by=user), skip=("by",))
    exporting.register(Flag, lambda user: Flag.objects.filter(by=user), skip=("by", "closed_by"))
    exporting.register(LateCancellation, lambda user: LateCancellation.objects.filter(provider__in=managed(user)))
