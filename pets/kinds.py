"""What owners are told of their pets."""

from messaging.choices import Channel
from messaging.kinds import PEOPLE, Kind, Urgency, register

VACCINE = "pet_vaccine"


def declare() -> None:
    register(
        Kind(VACCINE, "A vaccine runs out", "pets", PEOPLE, (Channel.SMS,), Urgency.LOW, template="pet_vaccine"),
    )
