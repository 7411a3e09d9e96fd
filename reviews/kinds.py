"""What people are told of reviews. That one is asked for is written with the end of the visit (``bookings``)."""

from messaging.kinds import PEOPLE, QUIET, Kind, Urgency, register

WRITTEN = "review_written"
WAITING = "review_waiting"
PUBLISHED = "review_published"
REPLIED = "review_replied"
FLAGGED = "review_flagged"
DECIDED = "review_flag_decided"
MODERATED = "review_moderated"


def declare() -> None:
    register(
        Kind(WRITTEN, "A new review of your business", "reviews"),
        Kind(WAITING, "An owner has reviewed, you have not", "reviews", urgency=Urgency.LOW),
        Kind(PUBLISHED, "Your review is published", "reviews", QUIET, urgency=Urgency.LOW),
        Kind(REPLIED, "A provider answered your review", "reviews"),
        Kind(DECIDED, "What became of a review that you reported", "reviews", urgency=Urgency.LOW),
        Kind(MODERATED, "Your review was looked at", "reviews", PEOPLE, is_mutable=False),
        Kind(FLAGGED, "A review is reported", "staff", QUIET, urgency=Urgency.LOW),
    )
