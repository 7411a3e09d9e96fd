"""What people are told of bookings: to owners under ``booking_``, to the provider's team under ``team_``."""

from messaging.choices import Channel
from messaging.kinds import PEOPLE, QUIET, Kind, Urgency, register

NOW = Urgency.URGENT  # a change of state: it is worth being woken for
TEXTED = (*PEOPLE, Channel.SMS)
TEXTS = (Channel.SMS,)
BY_MAIL = (Channel.IN_APP, Channel.EMAIL)
NOT_BY_MAIL = (Channel.IN_APP, Channel.PUSH)
MAIL = (Channel.EMAIL,)

REMINDER = "booking_reminder"
REMINDER_SOON = "booking_reminder_soon"
NUDGE = "team_nudge"
REVIEW_REQUEST = "review_request"

OWNER = (
    Kind("booking_requested", "Your request was sent", "bookings", BY_MAIL, urgency=NOW, template="booking"),
    Kind("booking_booked", "Booked at once", "bookings", PEOPLE, TEXTS, NOW, template="booking_confirmed"),
    Kind(
        "booking_revived", "Booked after a late payment", "bookings", PEOPLE, TEXTS, NOW, template="booking_confirmed"
    ),
    Kind("booking_revived_request", "Request sent after a late payment", "bookings", urgency=NOW, template="booking"),
    Kind("booking_accept", "Your request is accepted", "bookings", TEXTED, urgency=NOW, template="booking_confirmed"),
    Kind("booking_decline", "Your request is declined", "bookings", TEXTED, urgency=NOW, template="booking_over"),
    Kind("booking_hold_expired", "A kept time has run out", "bookings", urgency=NOW, template="booking_over"),
    Kind(
        "booking_request_expired", "A request was not answered", "bookings", PEOPLE, TEXTS, NOW, template="booking_over"
    ),
    Kind("booking_request_lost", "A request has ended", "bookings", urgency=NOW, template="booking_over"),
    Kind("booking_cancel", "You cancelled", "bookings", BY_MAIL, urgency=NOW, template="booking_over"),
    Kind("booking_cancelled", "Cancelled by the other side", "bookings", TEXTED, urgency=NOW, template="booking_over"),
    Kind("booking_reschedule", "Moved to another time", "bookings", PEOPLE, TEXTS, NOW, template="booking_confirmed"),
    Kind("booking_moved_request", "Your request to move was sent", "bookings", urgency=NOW, template="booking"),
    Kind("booking_start", "The visit has started", "bookings", NOT_BY_MAIL, (*MAIL, *TEXTS), NOW),
    Kind("booking_complete", "The visit is over", "bookings", urgency=NOW, template="booking"),
    Kind("booking_no_show", "Nobody came", "bookings", urgency=NOW, template="booking_over"),
    Kind("booking_more_time", "Your time is kept longer", "bookings", urgency=NOW, template="booking"),
    Kind(REMINDER, "Reminder two days before", "bookings", PEOPLE, TEXTS, template="booking_reminder"),
    Kind(REMINDER_SOON, "Reminder three hours before", "bookings", TEXTED, urgency=NOW, template="booking_reminder"),
    Kind("booking_complaint_closed", "Your complaint is answered", "bookings", is_mutable=False),
    Kind(REVIEW_REQUEST, "Asking how it was", "reviews", urgency=Urgency.LOW, template="review_request"),
)
OWNER_MONEY = (
    Kind("booking_paid_too_late", "A late payment goes back", "money", urgency=NOW, is_mutable=False),
    Kind("booking_payment_lost", "A payment did not go through", "money", urgency=NOW, is_mutable=False),
    Kind("booking_extra", "An extra charge", "money", urgency=NOW, is_mutable=False),
)
TEAM = (
    Kind("team_requested", "A new request", "requests", PEOPLE, TEXTS, NOW, template="booking_request"),
    Kind(
        "team_revived_request",
        "A request after a late payment",
        "requests",
        PEOPLE,
        TEXTS,
        NOW,
        template="booking_request",
    ),
    Kind("team_moved_request", "A request to move", "requests", PEOPLE, TEXTS, NOW, template="booking_request"),
    Kind(NUDGE, "A request still waits", "requests", PEOPLE, TEXTS, template="booking_request"),
    Kind("team_booked", "A new booking", "requests", PEOPLE, TEXTS, NOW, template="booking"),
    Kind("team_revived", "A booking after a late payment", "requests", PEOPLE, TEXTS, NOW, template="booking"),
    Kind("team_accept", "A request was accepted", "requests", urgency=NOW, template="booking"),
    Kind("team_request_expired", "A request has expired", "requests", urgency=NOW, template="booking"),
    Kind("team_request_lost", "A request has ended", "requests", urgency=NOW, template="booking"),
    Kind("team_cancel", "Your team cancelled", "requests", BY_MAIL, urgency=NOW, template="booking_over"),
    Kind("team_cancelled", "Cancelled by the owner", "requests", TEXTED, urgency=NOW, template="booking_over"),
    Kind("team_reschedule", "A booking was moved", "requests", PEOPLE, TEXTS, NOW, template="booking"),
    Kind("team_coming", "An owner says that they will come", "requests", QUIET, (*MAIL, Channel.PUSH), Urgency.LOW),
)
TEAM_MONEY = (
    Kind("booking_tip", "A tip", "money"),
    Kind("booking_paid", "Paid online", "money"),
    Kind("booking_complaint", "An owner complains", "requests", urgency=NOW, is_mutable=False),
)
SAFETY = (
    Kind("incident_reported", "A safety report", "staff", urgency=NOW, is_mutable=False),
    Kind("incident_resolved", "Your safety report is answered", "bookings", is_mutable=False),
)


def declare() -> None:
    register(*OWNER, *OWNER_MONEY, *TEAM, *TEAM_MONEY, *SAFETY)
