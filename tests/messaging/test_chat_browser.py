"""Two people talk, each in a real browser: live, over a lost network, and without Redis."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from messaging.domain import conversations, live
from messaging.live import wakeups
from messaging.models import Conversation, Message
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, session_cookie
from tests.factories import UserFactory, make_provider
from tests.messaging.streaming import Streams, running

__all__ = ["browser"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    # Whitenoise's files are read whole before they are sent, which is no matter here.
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning"),
]

LOST = ("ERR_INTERNET_DISCONNECTED", "ERR_NETWORK_CHANGED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "409 (Conflict)")


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Streams]:
    settings.WHITENOISE_USE_FINDERS = True
    with running(monkeypatch) as site:
        yield site


@pytest.fixture
def talk(streams: Streams) -> Conversation:
    provider = make_provider()
    owner = UserFactory(full_name="Olive Owner")
    first = conversations.enquire(
        provider, by=owner, text="Do you take rabbits?", now=timezone.now(), client_id=uuid4()
    )
    return first.conversation


Open = Callable[..., Page]


@pytest.fixture
def chat(browser: Browser, streams: Streams, talk: Conversation) -> Iterator[Open]:
    """Open the talk for one of its two people.

    At the end no page may have complained of more than a lost network or a refusal.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []
    fine = [*LOST]

    def open_page(
        user: Any, path: str, size: Any = DESKTOP, theme: str = "light", forgive: tuple[str, ...] = ()
    ) -> Page:
        fine.extend(forgive)
        url = f"http://localhost:{streams.port}"
        context = browser.new_context(base_url=url, viewport=size, color_scheme=theme, service_workers="block")
        contexts.append(context)
        context.add_cookies([session_cookie(user, url)])
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [error for error in errors if not any(word in error for word in fine)] == []


def owners(chat: Open, talk: Conversation, **options: Any) -> Page:
    return chat(talk.owner, f"/messages/{talk.uid}/", **options)


def teams(chat: Open, talk: Conversation, **options: Any) -> Page:
    member = talk.provider.memberships.first().user
    return chat(member, f"/provider/{talk.provider.slug}/messages/{talk.uid}/", **options)


def is_open(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-live", "open", timeout=30000)


def write(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send").click()


def texts(page: Page) -> list[str]:
    return page.locator(".bubble .bubble-text").all_inner_texts()


def test_two_people_talk_live(chat: Open, talk: Conversation) -> None:
    owner, team = owners(chat, talk), teams(chat, talk, size=PHONE)
    is_open(owner)
    is_open(team)

    write(team, "Yes, two at most.")
    expect(owner.locator(".bubble-text", has_text="Yes, two at most.")).to_be_visible(timeout=30000)
    write(owner, "Wonderful.")
    expect(team.locator(".bubble-text", has_text="Wonderful.")).to_be_visible(timeout=30000)
    expect(owner.locator(".bubble.is-own[data-seq]").last).to_have_attribute("data-state", "seen", timeout=30000)
    expect(owner.locator(".is-pending")).to_have_count(0)

    assert texts(owner) == texts(team) == ["Do you take rabbits?", "Yes, two at most.", "Wonderful."]
    for page in (owner, team):
        assert_fits(page)
        assert_accessible(page)


def test_what_was_said_meanwhile_is_there_once_and_in_order(chat: Open, talk: Conversation) -> None:
    owner, team = owners(chat, talk), teams(chat, talk)
    is_open(owner)
    is_open(team)

    owner.context.set_offline(True)
    for number in (1, 2, 3):
        write(team, f"team {number}")
        write(owner, f"owner {number}")
    expect(team.locator(".is-own[data-seq]")).to_have_count(3, timeout=30000)
    expect(owner.locator(".is-pending")).to_have_count(3)
    expect(owner.locator(".is-pending .bubble-foot").first).to_have_text("Waiting for a connection")
    owner.context.set_offline(False)

    said = ["Do you take rabbits?", "team 1", "team 2", "team 3", "owner 1", "owner 2", "owner 3"]
    expect(owner.locator(".is-pending")).to_have_count(0, timeout=30000)
    expect(team.locator(".bubble")).to_have_count(7, timeout=30000)
    expect(owner.locator(".bubble")).to_have_count(7, timeout=30000)
    assert texts(team) == texts(owner) == said
    assert list(Message.objects.order_by("seq").values_list("text", flat=True)) == said


def test_unsent_text_survives_leaving_the_page(chat: Open, talk: Conversation) -> None:
    owner = owners(chat, talk)
    is_open(owner)
    owner.route("**/send/", lambda route: route.abort("internetdisconnected"))
    write(owner, "still here")
    expect(owner.locator(".is-pending .bubble-foot")).to_have_text("Waiting for a connection")
    owner.goto("/messages/")
    owner.unroute("**/send/")
    owner.goto(f"/messages/{talk.uid}/")
    expect(owner.locator(".is-pending")).to_have_count(0, timeout=30000)
    assert list(Message.objects.filter(text="still here").values_list("seq", flat=True)) == [2]
    assert owner.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('petplace-outbox'))") == []


UNSENT = "Object.keys(localStorage).filter((key) => key.startsWith('petplace-outbox'))"


@pytest.mark.parametrize("how", ["signs out", "session ends", "somebody else signs in"])
def test_unsent_text_is_wiped_when_its_writer_goes(chat: Open, talk: Conversation, streams: Streams, how: str) -> None:
    # A page that is open while its session ends asks once more, and is told so.
    owner = owners(chat, talk, forgive=("401 (Unauthorized)",))
    is_open(owner)
    owner.route("**/send/", lambda route: route.abort("internetdisconnected"))
    write(owner, "for nobody else")
    expect(owner.locator(".is-pending .bubble-foot")).to_have_text("Waiting for a connection")
    owner.goto("/bookings/")
    assert len(owner.evaluate(UNSENT)) == 1  # on another page of the same person it waits

    if how == "signs out":
        owner.locator("summary[aria-label='Your account']").click()
        owner.get_by_role("button", name="Sign out").click()
        owner.wait_for_url("**/")
    else:
        owner.context.clear_cookies()
        if how == "somebody else signs in":
            stranger = talk.provider.memberships.first().user
            owner.context.add_cookies([session_cookie(stranger, f"http://localhost:{streams.port}")])
        owner.goto("/")
    owner.wait_for_function(f"{UNSENT}.length === 0")
    assert not Message.objects.filter(text="for nobody else").exists()


def test_refused_text_says_why_and_can_be_edited(chat: Open, talk: Conversation) -> None:
    owner = owners(chat, talk)
    is_open(owner)
    Conversation.objects.update(closes_at=timezone.now())
    write(owner, "too late")
    expect(owner.get_by_text("This conversation is closed.")).to_be_visible(timeout=30000)
    owner.get_by_role("button", name="Edit").click()
    expect(owner.get_by_label("Message", exact=True)).to_have_value("too late")
    expect(owner.locator(".is-pending")).to_have_count(0)


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens there: as when the server is stopped.
    monkeypatch.setattr(wakeups, "address", lambda: "redis://127.0.0.1:1/0")


@pytest.mark.parametrize("has_streams", [True, False])
def test_without_redis_it_goes_on_and_says_nothing_wrong(
    no_redis: None, chat: Open, talk: Conversation, has_streams: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, team = owners(chat, talk), teams(chat, talk)
    if not has_streams:  # nor can the browser get a stream: it asks
        for page in (owner, team):
            page.route("**/events/?*", lambda route: route.fulfill(status=204))
            page.reload()
            expect(page.locator("html")).to_have_attribute("data-live", "polling", timeout=30000)
    else:
        is_open(owner)
        is_open(team)
    write(team, "Yes.")
    expect(owner.locator(".bubble-text", has_text="Yes.")).to_be_visible(timeout=30000)
    for page in (owner, team):
        assert page.locator(".composer-error, .bubble-failed, .toast-item").count() == 0
    assert texts(owner) == texts(team) == ["Do you take rabbits?", "Yes."]


def test_ten_tabs_share_one_stream(chat: Open, talk: Conversation, streams: Streams) -> None:
    first = owners(chat, talk)
    is_open(first)
    others = [first.context.new_page() for _ in range(3)]
    for page in others:
        page.goto(f"/messages/{talk.uid}/")
        is_open(page)
    assert streams.hub.count() == 1
    team = teams(chat, talk)
    write(team, "To all of you")
    for page in (first, *others):
        expect(page.locator(".bubble-text", has_text="To all of you")).to_be_visible(timeout=30000)
    first.close()  # another tab reads on
    write(team, "And again")
    for page in others:
        expect(page.locator(".bubble-text", has_text="And again")).to_be_visible(timeout=30000)
    assert streams.hub.count() == 2


def test_numbers_in_the_navigation_move(chat: Open, talk: Conversation) -> None:
    owner = chat(talk.owner, "/bookings/")
    is_open(owner)
    expect(owner.locator("[data-bell] .count-dot")).to_have_count(0)
    member = talk.provider.memberships.first().user
    conversations.post(talk, by=member, text="Hello", client_id=uuid4(), now=timezone.now())
    live.emit([talk.owner_id], "badge", {})
    expect(owner.locator("[data-bell] .count-dot")).to_have_text("1", timeout=30000)
    expect(owner.locator(".bottom-bar .count-dot").first).to_have_text("1 unread", timeout=30000)
