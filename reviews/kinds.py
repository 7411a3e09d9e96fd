"""What people are told of reviews. That one is asked for is written with the end of the visit (``bookings``)."""

from messaging.kinds import Kind, register


def declare() -> None:
    register(Kind("review_written", "A new review of your business", "reviews"))
