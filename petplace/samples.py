"""Made-up data that the gallery of components draws with. Nothing here touches the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.paginator import Paginator

from bookings.states import BookingState
from pets.choices import Species
from providers import badges
from providers.choices import ServiceKind
from providers.states import ProviderState

ZONE = "Asia/Almaty"
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def gallery() -> dict[str, Any]:
    """The context of ``pages/ui_gallery.html``."""
    return {
        "zone": ZONE,
        "start": START,
        "end": START + timedelta(hours=1),
        "far_end": START + timedelta(days=3, hours=2),
        "countdown": datetime.now(UTC) + timedelta(minutes=14, seconds=40),
        "service_kinds": ServiceKind.choices,
        "species_choices": Species.choices,
        "values": {"near": "Almaty", "date": "2026-11-24", "time": "17:00", "duration": 60, "species": "dog"},
        "booking_states": BookingState.choices,
        "provider_states": ProviderState.choices,
        "page_obj": Paginator(range(240), 20).get_page(4),
        "steps": ["Pets", "Time", "Extras and notes", "Confirm"],
        "badges": badges.earned(
            [{"kind": "identity", "at": "2026-03-02T10:00:00+00:00", "until": None, "expires_at": None}],
            {"asked": 25, "answered": 25, "answer_minutes": 40},
            now=datetime.now(UTC),
        ),
        "service_facts": ["Dogs up to 40 kg", "2 pets at most"],
        "lines": [
            {"description": "Two nights of boarding", "quantity": 2, "unit_amount": 4500, "amount": 9000},
            {"description": "One more pet", "quantity": 2, "unit_amount": 1500, "amount": 3000},
            {"description": "Holiday rate, night of Nov 26", "quantity": 1, "unit_amount": 900, "amount": 900},
        ],
        "refund_rows": [
            {"until": START - timedelta(days=1, hours=5), "amount": 12900, "percent": 100, "is_now": True},
            {"until": START, "amount": 6450, "percent": 50},
            {"label": "After the start", "amount": 0, "percent": 0},
        ],
        "events": [
            {"label": "Requested", "at": START - timedelta(days=2), "by": "You", "state": "pending"},
            {"label": "Accepted", "at": START - timedelta(days=1), "by": "Happy Tails", "state": "confirmed"},
            {
                "label": "Moved by an hour",
                "at": START - timedelta(hours=9),
                "by": "You",
                "reason": "The train is late.",
                "state": "confirmed",
            },
        ],
        "slot_days": [
            {
                "label": "Tue, Nov 24",
                "slots": [
                    {"label": "09:00", "value": "a", "href": "#slots"},
                    {"label": "09:30", "value": "b", "href": "#slots", "taken": True},
                    {"label": "11:00", "value": "c", "href": "#slots", "active": True},
                    {"label": "17:00", "value": "d", "href": "#slots"},
                ],
            },
            {"label": "Wed, Nov 25", "slots": []},
        ],
        "chips": [
            {"label": "Dog walking", "href": "#chips", "active": True, "removable": True},
            {"label": "Under $30", "href": "#chips", "active": True, "removable": True},
            {"label": "4 stars and up", "href": "#chips", "icon": "star"},
            {"label": "Booked at once", "href": "#chips", "icon": "lightning-charge"},
        ],
        "colors": ["bg", "surface", "tint", "tint-2", "petrol", "action", "butter", "leaf", "sky", "rose", "plum"],
        "tones": ["neutral", "petrol", "action", "butter", "leaf", "sky", "rose", "plum"],
    }
