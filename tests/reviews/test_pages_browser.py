"""The pages of reviews in a real browser: they fit, everybody can use them, and the policy lets the data block be."""

import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from bookings.domain import lifecycle
from reviews.domain import moderation, replies
from reviews.models import Review
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome
from tests.factories import StaffFactory, make_booking, make_service, manager_of
from tests.reviews.world import answer, write

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures


@pytest.fixture
def visits():
    """Visits of the last days at one place: the last without a word, one sealed, one answered, and one called off."""
    service = make_service(is_instant=True)
    today = timezone.now().replace(hour=11, minute=0, second=0, microsecond=0)
    made = [
        make_booking(service, state="completed", now=start - dt.timedelta(days=3), starts_at=start)
        for start in (today - dt.timedelta(days=days) for days in (4, 3, 2))
    ]
    late = make_booking(service, now=today - dt.timedelta(days=4), starts_at=today - dt.timedelta(days=1))
    lifecycle.cancel(late, by=manager_of(late), now=today - dt.timedelta(days=2), reason="Ill.")
    return made


def test_pages_are_accessible_and_fit(chrome, visits):
    both, sealed, silent = visits
    owner, manager, staff = both.owner, manager_of(both), StaffFactory()
    write(both, text="Came back happy. " * 20, aspects={"care": 5, "communication": 4, "punctuality": 5, "value": 3})
    answer(both)
    write(sealed)
    review = Review.objects.get(booking=both, side="owner")
    flag = moderation.flag(review, by=manager, reason="other", note="We were not there.", now=timezone.now())
    slug = both.provider.slug
    team = [reverse("provider:review", args=[slug, one.reference]) for one in (both, silent)]
    team += [reverse("provider:booking", args=[slug, one.reference]) for one in (both, sealed, silent)]
    pages = [
        (None, reverse("provider_detail", args=[slug])),
        (None, reverse("provider_reviews", args=[slug])),
        (owner, reverse("reviews:write", args=[both.reference])),
        (owner, both.get_absolute_url()),
        (owner, reverse("reviews:flag", args=[review.uid])),
        (sealed.owner, reverse("reviews:write", args=[sealed.reference])),
        (sealed.owner, sealed.get_absolute_url()),
        (silent.owner, reverse("reviews:write", args=[silent.reference])),
        *((manager, url) for url in team),
        (manager, reverse("provider:reviews", args=[slug])),
        (staff, reverse("admin:reviews_flag_changelist")),
        (staff, reverse("admin:reviews_flag_change", args=[flag.pk])),
    ]
    for theme, size in (("light", DESKTOP), ("dark", PHONE)):
        for user in dict.fromkeys(user for user, _ in pages):
            page = chrome(theme=theme, size=size, user=user)
            for url in [url for who, url in pages if who == user]:
                page.goto(url)
                if "/admin/" not in url:
                    assert_fits(page)
                    assert_accessible(page)


def test_both_sides_speak_and_the_business_answers(chrome, visits):
    visit = visits[-1]
    page = chrome(size=PHONE, user=visit.owner)
    page.goto(visit.get_absolute_url())
    page.get_by_role("link", name="Write a review").click()
    page.locator("input[name=rating][value='5']").check()
    page.get_by_label("Care").select_option("4")
    page.get_by_label("In your words").fill("On time and kind.")
    page.get_by_role("button", name="Send the review").click()
    expect(page.get_by_text("Sealed")).to_be_visible()

    team = chrome(user=manager_of(visit))
    team.goto(reverse("provider:booking", args=[visit.provider.slug, visit.reference]))
    expect(team.get_by_text("On time and kind.")).to_have_count(0)
    team.get_by_role("link", name="Write a review").click()
    team.locator("input[name=rating][value='4']").check()
    team.get_by_role("button", name="Send the review").click()
    expect(team.get_by_text("On time and kind.")).to_be_visible()
    team.goto(reverse("provider:reviews", args=[visit.provider.slug]))
    team.locator("summary", has_text="Answer").click()
    team.get_by_label("Your answer").fill("Thank you!")
    team.get_by_role("button", name="Publish the answer").click()

    page.goto(reverse("provider_detail", args=[visit.provider.slug]))
    expect(page.get_by_text("Thank you!")).to_be_visible()
    expect(page.locator(".late-list")).to_contain_text("cancelled 1 day before the visit")
    assert replies.Reply.objects.get().review.rating == 5
