"""What managers and approvers hear about an application: a listener of ``providers.domain.applications``."""

from collections.abc import Iterable

from django.urls import reverse

from accounts.models import User
from messaging.domain import notify
from messaging.models import Channel
from petplace.roles import Right
from providers.choices import MembershipRole
from providers.models import Provider, ProviderEvent
from providers.states import ProviderState

S = ProviderState
IN_APP_ONLY = (Channel.IN_APP,)


def tell(provider: Provider, event: ProviderEvent) -> None:
    """Write the notifications of one event, in its transaction."""
    if event.to_state == S.SUBMITTED:
        _to_managers(provider, event, f"We have the application of {provider.name}", _RECEIVED)
        _to_staff(provider, event, f"{provider.name} waits for approval", "A new application came in.")
    elif event.from_state == event.to_state:
        if event.to_state != S.DRAFT:
            _to_staff(provider, event, f"{provider.name} changed its profile", event.reason)
    else:
        title, body = _DECISIONS[event.from_state, event.to_state]
        reason = f"\n\nThe reason: {event.reason}" if event.reason else ""
        _to_managers(provider, event, title.format(name=provider.name), f"{body}{reason}")


_RECEIVED = "Thank you. We look at it and tell you here and by e-mail what we decide."
_DECISIONS: dict[tuple[str, str], tuple[str, str]] = {
    (S.SUBMITTED, S.APPROVED): (
        "{name} is approved",
        "Owners can find and book you from now on. Check your hours and services, so that the first request fits.",
    ),
    (S.SUBMITTED, S.REJECTED): (
        "The application of {name} needs changes",
        "We cannot approve it as it is. Please correct what is named below and hand it in again.",
    ),
    (S.APPROVED, S.SUSPENDED): (
        "{name} is suspended",
        "Owners cannot find or book you now. Bookings that exist go on. Answer this with our staff to end it.",
    ),
    (S.SUSPENDED, S.APPROVED): ("{name} is back", "The suspension has ended: owners can find and book you again."),
}


def _to_managers(provider: Provider, event: ProviderEvent, title: str, body: str) -> None:
    managers = User.objects.filter(
        memberships__provider=provider, memberships__role=MembershipRole.MANAGER, is_active=True
    )
    _write(managers, provider, event, title, body, url=_page(provider))


def _to_staff(provider: Provider, event: ProviderEvent, title: str, body: str) -> None:
    staff = User.objects.who_may(Right.PROVIDERS)
    url = reverse("admin:providers_provider_changelist", query={"state__exact": provider.state})
    _write(staff, provider, event, title, body, url=url, channels=IN_APP_ONLY)


def _write(
    people: Iterable[User],
    provider: Provider,
    event: ProviderEvent,
    title: str,
    body: str,
    *,
    url: str,
    channels: tuple[Channel, ...] | None = None,
) -> None:
    for person in people:
        notify(
            person,
            f"provider_{event.to_state}",
            key=f"provider:{provider.uid}:{event.pk}",
            topic=f"provider:{provider.uid}",
            title=title,
            body=body,
            url=url,
            now=event.at,
            channels=channels,
        )


def _page(provider: Provider) -> str:
    return reverse("provider:documents", args=[provider.slug])
