"""Talks in a real browser: by plain forms, on a phone and a desk, in both themes, judged by axe-core."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from messaging.domain import conversations, quick_replies
from messaging.models import Conversation, Message
from petplace.uploads import clean_photo
from providers.domain import team
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome
from tests.factories import UserFactory, a_manager, make_provider, make_talk, write
from tests.uploads_corpus import photo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures


@pytest.fixture
def talk() -> Conversation:
    """A talk of two days, with a colleague, a photo, hidden contact details and steps of the booking."""
    start = timezone.now() - timedelta(days=1, hours=2)
    provider = make_provider(UserFactory(full_name="Demo Groomer"), name="Spree Paws Grooming")
    owner, colleague = UserFactory(full_name="Demo Owner"), UserFactory(full_name="Demo Colleague")
    team.add(provider, email=colleague.email, by=None)
    manager = a_manager(provider)
    made = make_talk(provider, owner=owner, subject="Full grooming, BK-234567", now=start)
    lines: list[tuple[Any, str]] = [
        (owner, "Hello! Rex has never been to a groomer. Is there anything that we should bring?"),
        (manager, "Hi, how lovely. His blanket and a few treats are perfect."),
        (colleague, "And please do not feed him in the last hour before, he may get nervous."),
        (owner, "Great. You can reach me at 0170 1234567 if something happens."),
        (owner, "Here he is:"),
    ]
    for number, (by, text) in enumerate(lines):
        write(made, by, text, now=start + timedelta(minutes=3 * number + 1))
    picture = clean_photo(SimpleUploadedFile("rex.jpg", photo(size=(900, 600))))
    write(made, owner, "", photo=picture, now=start + timedelta(minutes=18))
    conversations.say(
        made, text="Confirmed by the provider: Tue 24 Nov 2026, 15:00 (Europe/Berlin).", now=start + timedelta(hours=20)
    )
    write(made, manager, "What a handsome boy! See you on Tuesday.", now=timezone.now() - timedelta(minutes=30))
    conversations.read(made, by=owner, upto=6, now=timezone.now())
    other = make_talk(provider, owner=UserFactory(full_name="Demo Owner 2"), subject="Bath, BK-345678", now=start)
    write(other, other.owner, "Could we come half an hour later?", now=start)
    second = make_talk(make_provider(name="Happy Tails"), owner=owner, subject="Dog walking, BK-456789", now=start)
    write(second, a_manager(second.provider), "We are at the gate.", now=timezone.now() - timedelta(hours=1))
    for title, text in (
        ("Bring a blanket", "Please bring his blanket."),
        ("On the way", "We are on our way."),
        ("Thank you", "Thank you, see you!"),
    ):
        quick_replies.add(provider, title=title, text=text)
    return made


def shot(page: Any, name: str) -> None:
    if folder := os.environ.get("PETPLACE_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_talks_are_accessible_and_fit(chrome: Any, talk: Conversation, theme: str, size: Any) -> None:
    slug, name = talk.provider.slug, "phone" if size == PHONE else "desktop"
    pages = [
        (talk.owner, reverse("conversations:messages"), "owner-list"),
        (talk.owner, reverse("conversations:conversation", args=[talk.uid]), "owner-talk"),
        (a_manager(talk.provider), reverse("provider:messages", args=[slug]), "team-list"),
        (a_manager(talk.provider), reverse("provider:conversation", args=[slug, talk.uid]), "team-talk"),
        (a_manager(talk.provider), reverse("provider:quick_replies", args=[slug]), "quick-replies"),
        (talk.owner, reverse("conversations:conversation_report", args=[talk.uid]), "report"),
        (talk.owner, reverse("conversations:ask", args=[slug]), "ask"),
    ]
    for user, address, what in pages:
        page = chrome(theme=theme, size=size, user=user)
        page.goto(address)
        shot(page, f"{what}-{name}-{theme}")
        assert_accessible(page)
        assert_fits(page)
        page.context.close()


def test_by_plain_forms(chrome: Any, talk: Conversation) -> None:
    page = chrome(size=PHONE, user=talk.owner, java_script_enabled=False)
    page.goto(reverse("conversations:messages"))
    shot(page, "plain-list")
    page.get_by_role("link", name="Spree Paws Grooming").click()
    page.get_by_role("textbox", name="Message").fill("We will be there.")
    page.get_by_label("Add a photo").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    shot(page, "plain-talk")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("We will be there.", exact=True)).to_be_visible()
    sent = Message.objects.get(conversation=talk, text="We will be there.")
    assert (sent.kind, bool(sent.photo)) == ("photo", True)
    page.get_by_role("button", name="Mark as read").click()
    assert conversations.unread(talk.owner).owner == 1
