"""Builds the demo town through the domain functions, the same for the same day."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.db.models import Q
from django.utils.text import slugify

from accounts.models import User
from bookings.domain import aftercare, interval, lifecycle, quotes, reservation, sweeps, trust
from bookings.models import Booking
from messaging.choices import Channel
from messaging.domain import conversations, quick_replies
from messaging.models import Conversation, Delivery, DeliveryState, Notification
from payments.domain import calls, charges, payouts
from payments.gateways import history, registry, sandbox
from payments.models import Invoice, PayoutAccount
from petplace.demo import papers, pictures
from petplace.demo.talks import QUESTIONS, QUICK_REPLIES, TALKS
from petplace.demo.town import (
    BIOS,
    CITIES,
    KINDS,
    NAMES,
    NOTES,
    OFFERS,
    PETS,
    RESOURCES,
    REVIEWS,
    REVIEWS_OF_OWNERS,
    SORRY,
    THANKS,
    City,
    Offer,
)
from petplace.errors import DomainError
from pets.choices import Vaccine
from pets.models import CareRecord, Pet, Vaccination
from providers.choices import MembershipRole, ProviderKind
from providers.domain import applications, branches, expansion, holidays, hours, resources, services, team
from providers.models import Branch, Provider, ProviderPhoto, Resource, Service
from reviews import domain as reviews
from reviews.choices import ASPECTS, FlagReason, ReviewSide
from reviews.domain import moderation, publishing, replies
from reviews.models import Flag, Review

DOMAIN = "demo.petplace.test"
HISTORY = timedelta(days=45)  # how far back the town's life reaches
SEED = 20260704
PAID_OUT = 25  # providers with an account for payouts
Say = Callable[[str], None]
OWNERS_ASPECTS = [aspect.value for aspect in ASPECTS[ReviewSide.OWNER]]
PROVIDERS_ASPECTS = [aspect.value for aspect in ASPECTS[ReviewSide.PROVIDER]]


@dataclass(frozen=True)
class Summary:
    """What the town holds."""

    providers: int
    services: int
    owners: int
    bookings: int


def exists() -> bool:
    return User.objects.filter(email=f"owner@{DOMAIN}").exists()


def build(*, now: datetime, say: Say) -> Summary:
    """Build the town as of ``now`` in one transaction, so that a broken-off start leaves nothing behind.

    Side effects: files in the media folder. Mail about the past is not sent: those deliveries are cancelled.
    """
    return _Builder(now=now, say=say).run()


class _Builder:
    def __init__(self, *, now: datetime, say: Say) -> None:
        self.now = now.replace(second=0, microsecond=0)
        self.start = self.now - HISTORY
        self.say = say
        self.rng = random.Random(SEED)  # noqa: S311
        self.voices = random.Random(SEED + 1)  # noqa: S311  what is said does not change what happens
        # With keys of a real gateway nobody pays in the town's past.
        self.takes_play_money = "sandbox" in registry.names()
        self.staff: User
        self.branches: dict[str, list[Branch]] = {}
        self.owners: dict[str, list[User]] = {}

    def run(self) -> Summary:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # drawing takes its time
            self.people()
            for city in CITIES:
                self.say(f"{city.name}: {city.providers} businesses, {city.owners} pet owners")
                with expansion.postponed(now=self.now, since=self.start.date()):
                    self.city(city)
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")  # the planner has seen nothing of it yet
            self.say("Bookings, past and future")
            self.bookings()
            self.talks()
            self.settle_history()
            if self.takes_play_money:
                self.pay_out()
        return Summary(
            providers=Provider.objects.count(),
            services=Service.objects.count(),
            owners=sum(len(owners) for owners in self.owners.values()),
            bookings=Booking.objects.count(),
        )

    # --- People ---------------------------------------------------------------------------------

    def user(self, name: str, full_name: str, city: City, *, password: str | None = None, **fields: object) -> User:
        district = self.rng.choice(city.districts)
        user = User.objects.create_user(
            f"{name}@{DOMAIN}",
            password,
            full_name=full_name,
            time_zone=city.time_zone,
            home_place=f"{district[0]}, {city.name}",
            home_latitude=round(district[1] + self.rng.uniform(-0.008, 0.008), 5),
            home_longitude=round(district[2] + self.rng.uniform(-0.012, 0.012), 5),
            is_demo=True,
            date_joined=self.start,
            **fields,
        )
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def people(self) -> None:
        password = settings.DEMO_PASSWORD
        home = CITIES[0]
        self.staff = self.user("staff", "Demo Staff", home, password=password, is_staff=True, is_superuser=True)
        self.provider_login = self.user("provider", "Demo Provider", home, password=password)
        self.owner_login = self.user("owner", "Demo Owner", home, password=password)

    # --- Businesses -----------------------------------------------------------------------------

    def city(self, city: City) -> None:
        years = range(self.start.year, (self.now + timedelta(days=settings.OPEN_HOURS_HORIZON_DAYS)).year + 1)
        holidays.ensure(city.country, list(years))
        for index in range(city.providers):
            self.business(city, index)
        self.owners[city.name] = [self.owner(city, index) for index in range(city.owners)]

    def business(self, city: City, index: int) -> None:
        kind = KINDS[index % len(KINDS)]
        district, latitude, longitude = city.districts[index % len(city.districts)]
        is_login = city is CITIES[0] and index == 2
        names = NAMES[kind]
        name = "Spree Paws Grooming" if is_login else f"{names[(index // len(KINDS) + index) % len(names)]} {district}"
        if Provider.objects.filter(name=name).exists():
            name = f"{name} {index + 1}"
        manager = self.provider_login if is_login else self.user(
            f"{slugify(city.name)}-{kind}-{index + 1:02}", f"Demo {kind.label} {index + 1}", city
        )  # fmt: skip
        provider = applications.start(
            manager, name=name, kind=kind, currency=city.currency, bio=BIOS[kind], now=self.start
        )
        provider.cancellation_policy = self.rng.choice(["same_day", "one_day", "one_day", "three_day", "seven_day"])
        provider.appointment_policy = self.rng.choice(["flexible", "fair", "fair", "moderate", "strict"])
        provider.avatar.save("emblem.png", ContentFile(pictures.emblem(kind, index % 6)), save=False)
        provider.save(update_fields=["cancellation_policy", "appointment_policy", "avatar"])
        for position in range(2):
            photo = ProviderPhoto(provider=provider, caption=f"{name}, {district}", position=position)
            photo.image.save("scene.png", ContentFile(pictures.scene(kind, (index + position) % 4)), save=True)
        branch = branches.create(
            provider,
            name=district,
            address=f"{self.rng.choice(city.streets)} {self.rng.randint(1, 140)}, {district}, {city.name}",
            city=city.name,
            country=city.country,
            latitude=round(latitude + self.rng.uniform(-0.012, 0.012), 5),
            longitude=round(longitude + self.rng.uniform(-0.018, 0.018), 5),
            time_zone=city.time_zone,
            service_radius_km=self.rng.choice([8, 12, 20]) if kind == ProviderKind.WALKER else None,
            now=self.start,
        )
        self.resources(provider, branch, manager, is_login=is_login)
        for offer in OFFERS[kind]:
            self.service(provider, branch, city, offer)
        applications.submit(provider, by=manager, now=self.start)
        if self.decide(provider, city, index).is_public:
            self.branches.setdefault(city.name, []).append(branch)

    def decide(self, provider: Provider, city: City, index: int) -> Provider:
        """Approve nearly all; one of a city waits, one was sent back, one is suspended."""
        left = city.providers - index
        handed_in = self.start + timedelta(hours=self.rng.randint(3, 40))
        if left == 1:
            return provider
        if left == 2:
            reason = "The address does not match the map point."
            return applications.reject(provider, by=self.staff, now=handed_in, reason=reason)
        provider = applications.approve(provider, by=self.staff, now=handed_in)
        manager = provider.memberships.get(role=MembershipRole.MANAGER).user
        papers.hand_in(provider, by=manager, staff=self.staff, draw=self.voices, now=handed_in)
        if left == 3:
            return applications.suspend(provider, by=self.staff, now=self.now, reason="Insurance has run out.")
        return provider

    def resources(self, provider: Provider, branch: Branch, manager: User, *, is_login: bool) -> None:
        kind = ProviderKind(provider.kind)
        have = {resource.kind: resource for resource in branch.resources.all()}
        for resource_kind, label, least, most in RESOURCES[kind]:
            count = most if is_login else self.rng.randint(least, most)
            for number in range(1, count + 1):
                name = f"{label} {number}"
                if number == 1 and resource_kind in have:
                    resource = have[resource_kind]
                    Resource.objects.filter(pk=resource.pk).update(name=name)
                else:
                    resource = resources.create(branch, kind=resource_kind, name=name, now=self.start)
                if resource_kind == "person":
                    self.shifts(resource, number, kind)
        if is_login:
            helper = self.user("groomer", "Demo Groomer", CITIES[0])
            team.add(provider, email=helper.email, role=MembershipRole.STAFF, by=manager)

    def shifts(self, resource: Resource, number: int, kind: ProviderKind) -> None:
        opens, closes = ((7, 20) if kind == ProviderKind.WALKER else (9, 18)) if number % 2 else (8, 16)
        days = range(7) if kind in (ProviderKind.WALKER, ProviderKind.SITTER) else range(6 if number % 2 else 5)
        hours.set_weekly(resource, [hours.WeeklySpan(day, opens * 60, closes * 60) for day in days], now=self.start)
        if number == 2:
            away = self.midnight(resource.branch.zone, 12)
            hours.add_time_off(resource, start=away, end=away + timedelta(days=3), reason="Vacation", now=self.start)

    def service(self, provider: Provider, branch: Branch, city: City, offer: Offer) -> Service:
        spread = self.rng.uniform(0.85, 1.25)

        def local(price: int) -> int:
            """Turn euro cents into a round local price in minor units."""
            return (
                max(city.round_to, round(price * city.price_factor * spread / city.round_to) * city.round_to)
                if price
                else 0
            )

        return services.create(
            provider,
            branch=branch,
            kind=offer.kind,
            name=offer.name,
            price=local(offer.price),
            extra_pet_price=local(offer.extra_pet),
            holiday_percent=offer.holiday_percent,
            is_overnight=offer.minutes is None,
            duration_minutes=offer.minutes,
            species=list(offer.species),
            needs=list(offer.needs),
            max_pets=offer.max_pets,
            max_weight_kg=Decimal(offer.max_weight_kg) if offer.max_weight_kg else None,
            required_vaccines=list(offer.vaccines),
            buffer_after_minutes=offer.buffer_after,
            minimum_notice_minutes=offer.notice,
            maximum_advance_days=180,
            slot_step_minutes=offer.step,
            is_instant=offer.instant,
            payment_policy=offer.payment if self.takes_play_money and city is CITIES[0] else "at_visit",
            addons=[(name, local(price)) for name, price in offer.addons],
            now=self.start,
        )

    # --- Pet owners -----------------------------------------------------------------------------

    def owner(self, city: City, index: int) -> User:
        is_login = city is CITIES[0] and index == 0
        owner = self.owner_login if is_login else self.user(
            f"{slugify(city.name)}-owner-{index + 1:02}", f"Demo Owner {index + 1}", city
        )  # fmt: skip
        start = 0 if is_login else self.rng.randrange(len(PETS))
        for offset in range(3 if is_login else self.rng.randint(1, 3)):
            self.pet(owner, start + offset)
        return owner

    def pet(self, owner: User, number: int) -> None:
        name, species, breed, weight = PETS[number % len(PETS)]
        today = self.now.date()
        pet = Pet(
            owner=owner,
            name=name,
            species=species,
            breed=breed,
            sex=self.rng.choice(["female", "male"]),
            birth_date=today - timedelta(days=self.rng.randint(400, 3600)),
            weight_kg=Decimal(weight),
            temperament=self.rng.choice(
                ["Calm and curious.", "Full of energy.", "Shy at first, then loyal.", "Loves everyone."]
            ),
            feeding_notes="Two meals a day, 8:00 and 18:00. No chicken." if number % 3 == 0 else "",
            medication_notes="Ear drops in the evening." if number % 5 == 0 else "",
        )
        variant = number % len(pictures.COATS[species])
        pet.photo.save("portrait.png", ContentFile(pictures.pet(species, variant)), save=True)
        vaccines = {"dog": (Vaccine.RABIES, Vaccine.DHPP), "cat": (Vaccine.RABIES, Vaccine.FVRCP)}.get(
            species, (Vaccine.RABIES, Vaccine.MYXOMATOSIS_RHD) if species == "rabbit" else ()
        )
        for vaccine in vaccines:
            given = today - timedelta(days=self.rng.randint(60, 200))
            Vaccination.objects.create(
                pet=pet, vaccine=vaccine, given_on=given, valid_until=given + timedelta(days=365)
            )
        CareRecord.objects.create(
            pet=pet, kind="checkup", on=today - timedelta(days=self.rng.randint(30, 300)), note="Yearly check, all well.",
            recorded_by=owner,
        )  # fmt: skip

    # --- Bookings -------------------------------------------------------------------------------

    def bookings(self) -> None:
        login_branch = Provider.objects.get(memberships__user=self.provider_login).branches.get()
        for city in CITIES:
            for index, owner in enumerate(self.owners[city.name]):
                plan = (
                    ["completed", "confirmed", "pending", "cancelled"]
                    if index % 2
                    else ["completed", "completed", "confirmed"]
                )
                if owner == self.owner_login:
                    plan = ["completed", "completed", "cancelled", "declined", "no_show", "confirmed", "confirmed", "pending", "in_progress"]  # fmt: skip
                for position, wish in enumerate(plan):
                    at_login = city is CITIES[0] and (index + position) % 3 == 0
                    self.booking(owner, city, wish, login_branch if at_login else None)
        for day in range(-3, 6):  # a full book at the business that people sign in to
            for owner in self.rng.sample(self.owners[CITIES[0].name], 4):
                self.booking(
                    owner, CITIES[0], "completed" if day < 0 else "confirmed" if day else "today", login_branch, day=day
                )
        for wish in ("declined", "no_show", "expired", "in_progress", "held", "called_off", "called_off"):
            self.booking(self.rng.choice(self.owners[CITIES[0].name][1:]), CITIES[0], wish, None)
        self.booking(self.rng.choice(self.owners[CITIES[0].name][1:]), CITIES[0], "called_off", login_branch)

    def booking(
        self, owner: User, city: City, wish: str, branch: Branch | None, day: int | None = None
    ) -> Booking | None:
        """Try services and times until one is free, then live the booking up to the state wished for."""
        pets = [pet for pet in owner.pets.all() if pet.species in ("dog", "cat", "rabbit")] or list(owner.pets.all())
        for service, pet in self.choices(city, pets, branch, wish):
            for starts_at, ends_at in self.times(service, wish, day):
                asked_at = self.asked_at(service, starts_at, wish)
                try:
                    with transaction.atomic():
                        quote = quotes.create(
                            owner=owner, service=service, starts_at=starts_at, ends_at=ends_at, pets=[pet],
                            addons=list(service.addons.all())[: self.rng.randint(0, 1)], now=asked_at,
                        )  # fmt: skip
                        note = self.rng.choice(NOTES)
                        if wish == "held":
                            return reservation.hold(quote, by=owner, now=asked_at, note=note)
                        booking = reservation.book(quote, by=owner, now=asked_at, note=note)
                        if booking.is_held:
                            booking = self.pay(booking, asked_at)
                        return self.live(booking, wish, asked_at)
                except DomainError:
                    continue
        return None

    def choices(self, city: City, pets: list[Pet], branch: Branch | None, wish: str) -> Iterator[tuple[Service, Pet]]:
        for _ in range(40 if wish == "in_progress" else 6):
            where = branch or self.rng.choice(self.branches[city.name])
            pet = self.rng.choice(pets)
            fitting = [service for service in where.services.all() if pet.species in service.species]
            if wish in ("pending", "declined", "expired"):  # an instant service is not asked for
                fitting = [service for service in fitting if not service.is_instant]
            if wish == "in_progress":  # whatever the hour, a stay is under way
                fitting = [service for service in fitting if service.is_overnight]
            if fitting:
                yield self.rng.choice(fitting), pet

    def midnight(self, zone: ZoneInfo, day: int) -> datetime:
        return datetime.combine(self.now.astimezone(zone).date() + timedelta(days=day), time(), tzinfo=zone)

    def times(self, service: Service, wish: str, day: int | None) -> Iterator[tuple[datetime, datetime | None]]:
        zone = service.branch.zone
        if wish == "in_progress":
            yesterday = (self.midnight(zone, 0) - timedelta(days=1)).date()
            yield interval.for_stay(service, yesterday, yesterday + timedelta(days=3))
            return
        for _ in range(6):
            past = wish in ("completed", "no_show", "expired", "called_off") if day is None else day < 0
            offset = day if day is not None else (-self.rng.randint(3, 38) if past else self.rng.randint(1, 24))
            local_day: date = (self.midnight(zone, 0) + timedelta(days=offset)).date()
            if service.is_overnight:
                yield interval.for_stay(service, local_day, local_day + timedelta(days=self.rng.randint(1, 5)))
            else:
                minute = self.rng.randrange(9 * 60, 17 * 60) // service.slot_step_minutes * service.slot_step_minutes
                starts_at = datetime.combine(local_day, time(minute // 60, minute % 60), tzinfo=zone)
                if wish != "today" or starts_at > self.now:
                    yield starts_at, None

    def asked_at(self, service: Service, starts_at: datetime, wish: str) -> datetime:
        if wish in ("pending", "held"):
            return self.now - timedelta(minutes=2 if wish == "held" else self.rng.randint(5, 500))
        ahead = timedelta(minutes=service.minimum_notice_minutes) + timedelta(hours=self.rng.randint(26, 90))
        return min(starts_at - ahead, self.now - timedelta(hours=1))

    def live(self, booking: Booking, wish: str, asked_at: datetime) -> Booking:
        team_member = booking.provider.memberships.filter(role=MembershipRole.MANAGER).get().user
        answered_at = asked_at + timedelta(minutes=self.rng.randint(4, 55))
        if booking.is_pending:
            if wish in ("pending", "expired"):
                return booking
            if wish == "declined":
                return self.worked(
                    lifecycle.decline(booking, by=team_member, now=answered_at, reason="We are away that day."),
                    answered_at,
                )
            booking = self.worked(lifecycle.accept(booking, by=team_member, now=answered_at), answered_at)
        if wish == "cancelled":
            cancelled_at = min(booking.starts_at - timedelta(hours=self.rng.choice([2, 30, 60])), self.now)
            cancelled_at = max(answered_at, cancelled_at)
            return self.worked(
                lifecycle.cancel(booking, by=booking.owner, now=cancelled_at, reason="Change of plans."), cancelled_at
            )
        if wish == "called_off":
            late_at = max(answered_at, booking.starts_at - timedelta(hours=self.voices.choice([3, 26, 50])))
            reason = "We are sorry: somebody of the team is ill."
            return self.worked(lifecycle.cancel(booking, by=team_member, now=late_at, reason=reason), late_at)
        if wish == "no_show":
            missed_at = booking.starts_at + timedelta(minutes=40)
            return self.worked(lifecycle.report_no_show(booking, by=team_member, now=missed_at), missed_at)
        if wish in ("completed", "in_progress"):
            booking = lifecycle.start(booking, by=team_member, now=booking.starts_at + timedelta(minutes=1))
        if wish == "completed":
            booking = lifecycle.complete(booking, by=team_member, now=booking.ends_at + timedelta(minutes=3))
            self.review(booking)
            if booking.quote.prepay_amount and self.rng.random() < 0.15:
                self.tip(booking)
        return booking

    # --- Talks ----------------------------------------------------------------------------------

    def talks(self) -> None:
        """Let the people whom one can sign in as talk: about their next visits, and before a booking."""
        owner, manager = self.owner_login, self.provider_login
        business = Provider.objects.get(memberships__user=manager)
        soon = Booking.objects.upcoming(self.now).filter(Q(owner=owner) | Q(provider=business))
        chosen = [one for one in soon.select_related("conversation", "owner", "provider")[:10] if one.conversation]
        for index, booking in enumerate(chosen):
            assert booking.conversation is not None
            team_member = manager if booking.provider_id == business.pk else booking.provider.memberships.all()[0].user
            self.talk(booking.conversation, booking.owner, team_member, TALKS[index % len(TALKS)])
        asker = self.owners[CITIES[0].name][1]
        for who, asked_pk, lines in (
            (owner, self.branches[CITIES[0].name][0].provider_id, QUESTIONS[0]),
            (asker, business.pk, QUESTIONS[1]),
        ):
            provider = Provider.objects.get(pk=asked_pk)  # its state has changed since it was made
            team_member = provider.memberships.all()[0].user
            at = self.now - timedelta(hours=26)
            asked = conversations.enquire(provider, by=who, text=lines[0][1], now=at, client_id=self.draw())
            self.talk(asked.conversation, who, team_member, lines[1:])
        for title, text in QUICK_REPLIES:
            quick_replies.add(business, title=title, text=text)

    def talk(
        self, conversation: Conversation, owner: User, team_member: User, lines: tuple[tuple[str, str], ...]
    ) -> None:
        """Say ``lines`` (side, text), one some minutes after the other; all is read but the last line."""
        at = max(conversation.last_message_at, self.now - timedelta(hours=30))
        step = min(timedelta(minutes=self.rng.randint(4, 45)), (self.now - at) / (len(lines) + 1))
        for side, text in lines:
            at += step
            by = owner if side == "owner" else team_member
            said = conversations.post(conversation, by=by, text=text, client_id=self.draw(), now=at)
            for reader in (owner, team_member) if (side, text) != lines[-1] else (by,):
                conversations.read(conversation, by=reader, upto=said.seq, now=at)

    def draw(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)

    # --- Play money -----------------------------------------------------------------------------

    def pay(self, booking: Booking, asked_at: datetime) -> Booking:
        """Let the owner pay what is due, as on the sandbox's page, and come back."""
        assert booking.invoice is not None
        self.pay_invoice(booking.invoice, asked_at + timedelta(minutes=2))
        return Booking.objects.get(pk=booking.pk)

    def pay_invoice(self, invoice: Invoice, at: datetime) -> None:
        with history.played(at):
            started = charges.start(invoice, by=invoice.payer, gateway="sandbox", now=at, return_url=settings.SITE_URL)
            sandbox.pay(started.charge.ref, token="tok_visa")  # noqa: S106
            charges.sync(started.payment, now=at)

    def worked(self, booking: Booking, at: datetime) -> Booking:
        """Make the calls to the gateway that a step has left behind."""
        if booking.quote.prepay_amount:
            with history.played(at):
                calls.run_due(now=at)
        return booking

    def tip(self, booking: Booking) -> None:
        at = booking.ends_at + timedelta(hours=5)
        if at < self.now:
            amount = max(booking.total // 1_000, 1) * 100
            self.pay_invoice(aftercare.tip(booking, amount=amount, by=booking.owner, now=at), at)

    def pay_out(self) -> None:
        """Pay out what was due a day ago to those who have told the sandbox where to."""
        at = self.now - timedelta(days=1)
        with history.played(at):
            gateway = registry.get("sandbox")
            earners = Provider.objects.filter(payout_items__isnull=False).distinct().order_by("pk")
            for provider in earners[:PAID_OUT]:
                country = provider.branches.all()[0].country
                ref = gateway.create_account(email=f"payout@{DOMAIN}", country=country, key=f"account:{provider.uid}")
                sandbox.finish_onboarding(ref)
                PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref=ref, is_ready=True)
            payouts.collect_due(now=at)
            calls.run_due(now=at)
        with history.played(self.now):
            calls.run_due(now=self.now)  # what the sweep has left behind

    def review(self, booking: Booking) -> None:
        """Let each side write or not; half a day later the manager answers some."""
        is_willing = self.rng.random() < 0.75
        # The owner who signs in finds a visit to write about.
        is_left = booking.owner.email == f"owner@{DOMAIN}" and self.now - booking.ends_at < timedelta(days=10)
        if is_willing and not is_left and self.now - booking.ends_at > timedelta(hours=5):
            rating, text = self.rng.choice(REVIEWS)
            aspects = {
                aspect: min(5, max(1, rating + self.voices.choice([0, 0, 0, -1, 1]))) for aspect in OWNERS_ASPECTS
            }
            written_at = booking.ends_at + timedelta(hours=4)
            reviews.write(booking, by=booking.owner, rating=rating, text=text, aspects=aspects, now=written_at)
        if self.voices.random() < 0.7 and self.now - booking.ends_at > timedelta(hours=9):
            rating, text = self.voices.choice(REVIEWS_OF_OWNERS)
            manager = booking.provider.memberships.filter(role=MembershipRole.MANAGER).get().user
            aspects = dict.fromkeys(PROVIDERS_ASPECTS, rating)
            written_at = booking.ends_at + timedelta(hours=8)
            reviews.write(booking, by=manager, rating=rating, text=text, aspects=aspects, now=written_at)

    def publish_reviews(self) -> None:
        """Open what was sealed when its time was over, and let the businesses answer some of it."""
        for due_at in Review.objects.due(self.now).order_by("due_at").values_list("due_at", flat=True):
            publishing.publish_due(due_at)
        shown = Review.objects.filter(side=ReviewSide.OWNER).shown().select_related("provider", "author", "booking")
        for review in shown.order_by("pk"):
            assert review.published_at is not None
            at = review.published_at + timedelta(hours=self.voices.randint(2, 40))
            manager = review.provider.memberships.filter(role=MembershipRole.MANAGER).get().user
            if review.rating <= 3 and at < self.now and not Flag.objects.exists():
                note = "We were told of the feeding notes at the door."
                moderation.flag(review, by=manager, reason=FlagReason.OTHER, note=note, now=at)
            if at < self.now and self.voices.random() < (0.9 if review.rating <= 3 else 0.25):
                text = self.voices.choice(SORRY if review.rating <= 3 else THANKS)
                replies.reply(review, by=manager, text=text, now=at)

    # --- The end --------------------------------------------------------------------------------

    def settle_history(self) -> None:
        """Let the system act on what is overdue, and keep word of the past from going out of the house."""
        sweeps.process_due(now=self.now)
        self.publish_reviews()
        trust.refresh_all(self.now)
        past = Delivery.objects.filter(
            Q(due_at__lte=self.now) | Q(notification__kind="message"), state=DeliveryState.WAITING
        ).exclude(channel=Channel.IN_APP)
        past.update(state=DeliveryState.CANCELLED, last_error="Demo history: never sent.")
        Notification.objects.filter(due_at__lt=self.now - timedelta(days=2)).update(read_at=self.now)
