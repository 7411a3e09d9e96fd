"""What stands in each menu. Pages that are not there yet, or not for this visitor, simply do not show."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Item:
    label: str
    icon: str
    url_name: str
    short: str = ""  # the word under the icon of the bottom bar


MENUS: dict[str, tuple[Item, ...]] = {
    "owner": (
        Item("Next visit", "house-heart", "bookings:home", "Home"),
        Item("My pets", "heart", "pets:list"),
        Item("Bookings", "calendar-check", "bookings:list"),
        Item("Messages", "chat-dots", "conversations:messages"),
        Item("Invoices", "receipt", "payments:list"),
        Item("Notifications", "bell", "messaging:list"),
        Item("Settings", "gear", "accounts:settings"),
    ),
    "owner_bar": (
        Item("Next visit", "house-heart", "bookings:home", "Home"),
        Item("Find care", "search", "search", "Search"),
        Item("Bookings", "calendar-check", "bookings:list", "Bookings"),
        Item("Messages", "chat-dots", "conversations:messages", "Messages"),
        Item("My pets", "heart", "pets:list", "Pets"),
    ),
    "provider": (
        Item("Today", "sun", "provider:today"),
        Item("Requests", "inbox", "provider:requests"),
        Item("Messages", "chat-dots", "provider:messages"),
        Item("Calendar", "calendar3", "provider:calendar"),
        Item("Bookings", "calendar-check", "provider:bookings"),
        Item("Services", "tags", "provider:services"),
        Item("Hours and time off", "clock", "provider:hours"),
        Item("Team", "people", "provider:team"),
        Item("Rooms and resources", "door-open", "provider:resources"),
        Item("Branches", "geo-alt", "provider:branches"),
        Item("Documents", "file-earmark-check", "provider:documents"),
        Item("Profile", "shop", "provider:profile"),
        Item("Finance", "graph-up", "provider:finance"),
        Item("Invoices", "receipt", "provider:invoices"),
        Item("Promo codes", "ticket-perforated", "provider:promo_codes"),
        Item("Expenses", "wallet2", "provider:expenses"),
        Item("Payouts", "bank", "provider:payouts"),
        Item("Reviews", "star", "provider:reviews"),
    ),
    "provider_bar": (
        Item("Today", "sun", "provider:today", "Today"),
        Item("Requests", "inbox", "provider:requests", "Requests"),
        Item("Messages", "chat-dots", "provider:messages", "Messages"),
        Item("Calendar", "calendar3", "provider:calendar", "Calendar"),
    ),
}


@dataclass(frozen=True)
class Link:
    label: str
    icon: str
    url: str
    short: str
    active: bool


def links(menu: str, path: str, provider_slug: str = "") -> list[Link]:
    """The items of one menu that have a page, the one that holds ``path`` marked active.

    Every page of the provider dashboard names its provider first, so those need ``provider_slug``.
    """
    found: list[tuple[Item, str]] = []
    for item in MENUS[menu]:
        arguments = [provider_slug] if item.url_name.startswith("provider:") else []
        try:
            found.append((item, reverse(item.url_name, args=arguments)))
        except NoReverseMatch:
            continue
    holding = max((url for _, url in found if path.startswith(url)), key=len, default=None)
    return [Link(item.label, item.icon, url, item.short or item.label, url == holding) for item, url in found]
