"""Something to race for: a business whose places are always open, and two dozen owners with a dog each."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from accounts.models import User
from bookings.domain import cancellation, interval, pricing
from bookings.models import Quote, QuoteLine
from pets.models import Pet
from providers.models import Branch, Resource, Service
from tests.factories import PetFactory, UserFactory, make_branch, make_provider, make_resource, make_service

HOUR = dt.timedelta(hours=1)


@dataclass
class World:
    """``manager`` answers for the provider; ``starts(n)`` are n moments on the hour, two hours apart."""

    now: dt.datetime
    branch: Branch
    manager: User
    owners: list[User]
    pets: list[Pet]

    @classmethod
    def build(cls, owners: int) -> "World":
        now = timezone.now()
        manager = UserFactory()
        branch = make_branch(make_provider(manager, now=now), now=now)
        people = [UserFactory() for _ in range(owners)]
        return cls(now, branch, manager, people, [PetFactory(owner=owner) for owner in people])

    def resource(self, kind: str) -> Resource:
        return make_resource(self.branch, kind=kind, now=self.now)

    def service(self, needs: Sequence[str], **fields: object) -> Service:
        usual = {"duration_minutes": 60, "slot_step_minutes": 60, "is_instant": True, "minimum_notice_minutes": 0}
        return make_service(self.branch, needs=list(needs), now=self.now, **(usual | fields))

    def starts(self, number: int, *, hours: int = 2) -> list[dt.datetime]:
        first = self.now.replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=2)
        return [first + index * hours * HOUR for index in range(number)]

    def quotes(self, service: Service, start: dt.datetime) -> list[Quote]:
        """Return a quote for each owner, written in a few statements: thousands are needed."""
        start, end = interval.for_timed(service, start)
        price = pricing.price(service, starts_at=start, ends_at=end, pet_count=1)
        terms = cancellation.terms(service, service.provider, start, price).as_json()
        quotes = Quote.objects.bulk_create(
            Quote(
                owner=owner,
                service=service,
                starts_at=start,
                ends_at=end,
                currency=price.currency,
                total=price.total,
                cancellation=terms,
                expires_at=timezone.now() + dt.timedelta(minutes=30),
            )
            for owner in self.owners
        )
        line = price.lines[0]
        QuoteLine.objects.bulk_create(
            QuoteLine(quote=quote, position=0, kind=line.kind, description=line.description, quantity=line.quantity,
                      unit_amount=line.unit_amount, amount=line.amount)
            for quote in quotes
        )  # fmt: skip
        through = Quote.pets.through
        through.objects.bulk_create(through(quote=quote, pet=pet) for quote, pet in zip(quotes, self.pets, strict=True))
        return quotes
