"""Writing, reading, answering and objecting: pages, API, admin."""

import datetime as dt
import json
import re
import uuid

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from bookings.domain import lifecycle
from providers.domain import team
from reviews.domain import moderation, replies
from reviews.models import Flag, LateCancellation, Reply, Review
from tests.factories import NOW, StaffFactory, UserFactory, make_booking, make_provider, make_support, manager_of
from tests.queries import assert_constant
from tests.reviews.world import DAY, HOUR, answer, published, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking(time_machine):
    booking = make_booking(state="completed")
    time_machine.move_to(booking.ends_at, tick=False)
    return booking


def another(booking, days=1, **fields):
    return make_booking(
        booking.service, state="completed", starts_at=booking.starts_at + dt.timedelta(days=days), **fields
    )


def more(booking, count=3, **fields):
    for number in range(1, count + 1):
        published(another(booking, number, **fields))


def page(booking):
    return reverse("reviews:write", args=[booking.reference])


def team_page(booking):
    return reverse("provider:review", args=[booking.provider.slug, booking.reference])


def dashboard(provider):
    return reverse("provider:reviews", args=[provider.slug])


def api(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


def text_of(response):
    return response.content.decode()


# --- Writing on the pages -----------------------------------------------------------------------


def test_owner_writes_a_review(client, booking):
    client.force_login(booking.owner)
    form = client.get(page(booking)).context
    assert (form["is_open"], form["review"]) == (True, None)
    assert [field.name for field in form["form"].aspect_fields] == ["care", "communication", "punctuality", "value"]

    response = client.post(page(booking), {"rating": "5", "text": "Lovely", "care": "4", "value": ""})

    assert response.url == booking.get_absolute_url()
    [review] = Review.objects.all()
    assert (review.side, review.rating, review.text, review.aspects) == ("owner", 5, "Lovely", {"care": 4})
    assert "Sealed" in text_of(client.get(page(booking)))


def test_team_writes_about_the_owner(client, booking):
    client.force_login(manager_of(booking))
    fields = client.get(team_page(booking)).context["form"].aspect_fields
    assert [field.name for field in fields] == ["communication", "pet_as_described", "punctuality"]

    response = client.post(team_page(booking), {"rating": "4", "pet_as_described": "5"})

    assert response.url == reverse("provider:booking", args=[booking.provider.slug, booking.reference])
    assert Review.objects.values_list("side", "rating", "pet_as_described").get() == ("provider", 4, 5)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "rating"),
        ({"rating": "6"}, "rating"),
        ({"rating": "5", "text": "x" * 4001}, "text"),
        ({"rating": "5", "care": "9"}, "care"),
    ],
)
def test_owner_sees_what_is_wrong(client, booking, data, field):
    client.force_login(booking.owner)

    response = client.post(page(booking), data)

    assert (response.status_code, list(response.context["form"].errors)) == (400, [field])
    assert not Review.objects.exists()


def test_owner_cannot_write_another(client, booking):
    write(booking)
    client.force_login(booking.owner)

    assert "Very good." in text_of(client.get(page(booking)))
    response = client.post(page(booking), {"rating": "1"}, follow=True)
    assert "You have reviewed this visit already." in text_of(response)
    assert Review.objects.get().rating == 4


def test_owner_is_told_when_it_is_too_early_or_too_late(client, booking, time_machine):
    early = make_booking()
    time_machine.move_to(booking.ends_at + dt.timedelta(days=14))
    client.force_login(booking.owner)
    assert "The time to review this visit is over." in text_of(client.get(page(booking)))

    client.force_login(early.owner)
    assert "when it is completed" in text_of(client.get(page(early)))


def test_pages_to_write_are_for_the_two_sides(client, booking):
    assert client.get(page(booking)).url.split("?")[0] == reverse("account_login")
    for user in (UserFactory(), manager_of(booking), StaffFactory()):
        client.force_login(user)
        assert client.get(page(booking)).status_code == 404
        assert client.post(page(booking), {"rating": "1"}).status_code == 404
    for user in (UserFactory(), booking.owner, StaffFactory()):
        client.force_login(user)
        assert client.post(team_page(booking), {"rating": "1"}).status_code == 404
    assert not Review.objects.exists()


# --- Nobody sees what is sealed -----------------------------------------------------------------


def test_sealed_words_are_on_no_page_of_the_other_side(client, booking):
    write(booking, text="Secret-of-the-owner")
    places = [
        (manager_of(booking), dashboard(booking.provider)),
        (manager_of(booking), reverse("provider:booking", args=[booking.provider.slug, booking.reference])),
        (manager_of(booking), team_page(booking)),
        (UserFactory(), reverse("provider_detail", args=[booking.provider.slug])),
        (UserFactory(), reverse("provider_reviews", args=[booking.provider.slug])),
    ]
    for user, url in places:
        client.force_login(user)
        assert "Secret-of-the-owner" not in text_of(client.get(url)), url
    assert api(manager_of(booking)).get(path(booking)).status_code == 404
    assert api().get(public(booking.provider)).json()["results"] == []

    answer(booking, text="Secret-of-the-team")
    for user, url in places[:2] + places[3:]:
        client.force_login(user)
        assert "Secret-of-the-owner" in text_of(client.get(url)), url


def test_what_providers_say_of_an_owner_is_for_providers(client, booking):
    published(booking)
    other = make_booking(owner=booking.owner, starts_at=booking.starts_at + 5 * DAY)
    asked = make_booking(state="pending", owner=booking.owner, starts_at=booking.starts_at + 6 * DAY)

    client.force_login(manager_of(other))
    shown = client.get(reverse("provider:booking", args=[other.provider.slug, other.reference]))
    assert "A friendly owner." in text_of(shown)
    client.force_login(manager_of(booking))
    said = client.get(reverse("provider:booking", args=[booking.provider.slug, booking.reference])).context["said"]
    assert (said["count"], said["last"]) == (1, [])  # what the team wrote about this visit stands in its own card
    client.force_login(manager_of(asked))
    assert "(1" in text_of(client.get(reverse("provider:requests", args=[asked.provider.slug])))
    for user in (booking.owner, UserFactory()):
        client.force_login(user)
        for url in (
            booking.get_absolute_url() if user == booking.owner else "/",
            reverse("provider_detail", args=[booking.provider.slug]),
            reverse("provider_reviews", args=[booking.provider.slug]),
        ):
            assert "A friendly owner." not in text_of(client.get(url)), url


# --- Reading ------------------------------------------------------------------------------------


def test_team_reads_the_reviews(client, booking):
    review = published(booking)
    colleague = UserFactory()
    team.add(booking.provider, email=colleague.email, role="staff", by=manager_of(booking))

    for user in (manager_of(booking), colleague):
        client.force_login(user)
        response = client.get(dashboard(booking.provider))
        assert list(response.context["page_obj"]) == [review]
        assert [row.count for row in response.context["spread"]] == [0, 1, 0, 0, 0]
        assert ("Publish the answer" in text_of(response)) is (user != colleague)


def test_team_without_reviews_is_told_what_comes(client):
    provider = make_provider()
    client.force_login(provider.memberships.get().user)

    assert "No reviews yet" in text_of(client.get(dashboard(provider)))


def test_team_sees_what_waits(client, booking):
    write(booking)
    client.force_login(manager_of(booking))
    context = client.get(dashboard(booking.provider)).context
    assert (list(context["to_write"]), context["waiting_count"]) == ([booking], 1)


def test_provider_page_is_the_teams(client, booking):
    assert client.get(dashboard(booking.provider)).url.split("?")[0] == reverse("account_login")
    client.force_login(booking.owner)
    assert client.get(dashboard(booking.provider)).status_code == 404


def test_pages_ask_the_same_for_one_and_many(client, booking):
    replies.reply(published(booking), by=manager_of(booking), text="Thanks.", now=booking.ends_at)
    client.force_login(manager_of(booking))
    urls = [
        dashboard(booking.provider),
        reverse("provider_reviews", args=[booking.provider.slug]),
        reverse("provider_detail", args=[booking.provider.slug]),
    ]
    assert_constant(lambda: [client.get(url) for url in urls], lambda: more(booking))


def late(booking, days=2):
    other = make_booking(booking.service, starts_at=booking.starts_at + 9 * DAY)
    return lifecycle.cancel(other, by=manager_of(other), now=other.starts_at - days * DAY, reason="Ill.")


def test_late_cancellations_are_on_the_profile(client, booking):
    late(booking)
    line = "The provider cancelled 2 days before the visit"
    client.force_login(manager_of(booking))
    for url in (
        reverse("provider_detail", args=[booking.provider.slug]),
        reverse("provider_reviews", args=[booking.provider.slug]),
        dashboard(booking.provider),
    ):
        assert line in text_of(client.get(url)), url
    [row] = api().get(f"/api/v1/providers/{booking.provider.uid}/late-cancellations/").json()["results"]
    assert (row["days_before"], row["text"]) == (2, line)


# --- Structured data ----------------------------------------------------------------------------


def structured(client, provider):
    page = text_of(client.get(reverse("provider_detail", args=[provider.slug])))
    [block] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    return block, json.loads(block)


def test_profile_carries_structured_data_of_what_is_published(client, booking, settings):
    settings.SITE_URL = "https://pets.example"
    write(booking)
    _, data = structured(client, booking.provider)
    assert "aggregateRating" not in data
    answer(booking)

    _, data = structured(client, booking.provider)

    assert data == {
        "@context": "https://schema.org",
        "@type": "LocalBusiness",
        "@id": f"https://pets.example/p/{booking.provider.slug}/",
        "url": f"https://pets.example/p/{booking.provider.slug}/",
        "name": booking.provider.name,
        "address": {"@type": "PostalAddress", "addressLocality": "Berlin", "addressCountry": "DE"},
        "aggregateRating": {
            "@type": "AggregateRating", "ratingValue": 4.0, "reviewCount": 1, "bestRating": 5, "worstRating": 1,
        },
    }  # fmt: skip
    assert booking.service.branch.address not in json.dumps(data)


def test_structured_data_cannot_end_its_block(client):
    provider = make_provider(name="</script><script>alert(1)</script>", bio="a & b <!-- \u2028")

    block, data = structured(client, provider)

    assert not set("<>&\u2028") & set(block)
    assert (data["name"], data["description"]) == ("</script><script>alert(1)</script>", provider.bio)


# --- Answering and objecting on the pages -------------------------------------------------------


def reply_url(review):
    return reverse("provider:review_reply", args=[review.provider.slug, review.uid])


def test_manager_answers_on_the_page(client, booking):
    review = published(booking)
    client.force_login(manager_of(booking))

    assert client.post(reply_url(review), {"text": ""}).status_code == 400
    response = client.post(reply_url(review), {"text": "Thank you!"})

    assert response.url == f"{dashboard(booking.provider)}#r-{review.uid}"
    assert "Thank you!" in text_of(client.get(reverse("provider_detail", args=[booking.provider.slug])))
    again = client.post(reply_url(review), {"text": "More."}, follow=True)
    assert "answered already" in text_of(again)
    assert Reply.objects.count() == 1


def test_only_managers_answer(client, booking):
    review = published(booking)
    colleague = UserFactory()
    team.add(booking.provider, email=colleague.email, role="staff", by=manager_of(booking))

    for user, status in ((colleague, 403), (booking.owner, 404), (UserFactory(), 404)):
        client.force_login(user)
        assert client.post(reply_url(review), {"text": "No."}).status_code == status
    client.force_login(manager_of(booking))
    sealed = write(another(booking))
    assert client.post(reply_url(sealed), {"text": "No."}).status_code == 404
    assert client.get(reply_url(review)).status_code == 405


def flag_url(review):
    return reverse("reviews:flag", args=[review.uid])


def test_anybody_signed_in_reports_a_review(client, booking):
    review = published(booking)
    assert client.get(flag_url(review)).url.split("?")[0] == reverse("account_login")
    reader = UserFactory()
    client.force_login(reader)
    assert "target" not in client.get(flag_url(review)).context["form"].fields

    assert client.post(flag_url(review), {"reason": "other"}).status_code == 400
    response = client.post(flag_url(review), {"reason": "spam", "note": "Look."})

    assert response.url == reverse("provider_reviews", args=[booking.provider.slug])
    assert Flag.objects.values_list("by", "reason", "note", "target").get() == (reader.pk, "spam", "Look.", "review")
    assert "reported this already" in text_of(client.post(flag_url(review), {"reason": "spam"}, follow=True))


def test_a_reply_is_reported_by_the_owner(client, booking):
    review = published(booking)
    replies.reply(review, by=manager_of(booking), text="You lie.", now=booking.ends_at)
    client.force_login(booking.owner)

    client.post(flag_url(review), {"reason": "insult", "target": "reply"})

    assert Flag.objects.get().target == "reply"


def test_what_one_cannot_see_cannot_be_reported(client, booking):
    sealed = write(booking)
    client.force_login(UserFactory())
    assert client.get(flag_url(sealed)).status_code == 404
    assert client.get(reverse("reviews:flag", args=[uuid.uuid4()])).status_code == 404
    of_owner = answer(booking)
    for user in (booking.owner, UserFactory()):
        client.force_login(user)
        assert client.post(flag_url(of_owner), {"reason": "spam"}).status_code == 404
    client.force_login(manager_of(booking))
    assert client.get(flag_url(of_owner)).status_code == 200


# --- The API ------------------------------------------------------------------------------------


def path(booking, name=None):
    return f"/api/v1/bookings/{name or booking.uid}/review/"


def public(provider):
    return f"/api/v1/providers/{provider.uid}/reviews/"


@pytest.mark.parametrize("name", ["uid", "reference"])
def test_api_writes_and_reads(booking, name):
    client, address = api(booking.owner), path(booking, getattr(booking, name))
    assert client.get(address).status_code == 404

    created = client.post(address, {"rating": 5, "text": "Lovely", "aspects": {"care": 4}})

    review = Review.objects.get()
    assert created.status_code == 201
    assert created.json() == {
        "id": str(review.uid), "side": "owner", "rating": 5, "aspects": {"care": 4}, "text": "Lovely",
        "author": booking.owner.get_short_name(), "service": booking.service.name,
        "created_at": created.json()["created_at"], "published_at": None, "reply": None,
    }  # fmt: skip
    assert client.get(address).json() == created.json()


def test_api_of_the_provider_is_its_own_side(booking):
    client = api(manager_of(booking))
    created = client.post(path(booking), {"rating": 4, "aspects": {"pet_as_described": 5}})
    assert (created.status_code, created.json()["side"]) == (201, "provider")
    assert created.json()["author"] == booking.provider.name
    assert client.get(path(booking)).json() == created.json()
    assert api(booking.owner).get(path(booking)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rating"),
        ({"rating": 0}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": "5"}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": 4.5}, "rating"),
        ({"rating": 5, "text": "x" * 4001}, "text"),
        ({"rating": 5, "text": "a\0b"}, "text"),
        ({"rating": 5, "stars": 5}, "stars"),
        ({"rating": 5, "aspects": {"care": 6}}, "aspects"),
        ({"rating": 5, "aspects": {"pet_as_described": 5}}, "aspects"),
        ({"rating": 5, "aspects": 5}, "aspects"),
        ({"rating": 5, "published_at": "2026-01-01T00:00:00Z"}, "published_at"),
    ],
)
def test_api_names_the_wrong_field(booking, body, field):
    response = api(booking.owner).post(path(booking), body)

    assert response.status_code == 400
    if "\0" not in body.get("text", ""):
        assert next(iter(response.json()["errors"])).split(".")[0] == field
    assert not Review.objects.exists()


def test_api_says_why_not(booking):
    client = api(booking.owner)
    early = make_booking(owner=booking.owner)
    write(booking)

    again, too_early = client.post(path(booking), {"rating": 5}), client.post(path(early), {"rating": 5})

    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    assert (too_early.status_code, too_early.json()["code"]) == (409, "invalid_transition")


def test_api_lets_only_the_two_sides_write(booking):
    assert api(StaffFactory()).post(path(booking), {"rating": 5}).status_code == 403
    assert api(UserFactory()).post(path(booking), {"rating": 5}).status_code == 404
    assert api(booking.owner).post(path(booking, "nonsense"), {"rating": 5}).status_code == 404
    assert APIClient().post(path(booking), {"rating": 5}).status_code == 401
    assert not Review.objects.exists()


def test_api_shows_what_is_published_to_everyone(booking):
    published(booking)
    more(booking, 1)

    response = APIClient().get(public(booking.provider))

    assert [row["text"] for row in response.json()["results"]] == ["Very good.", "Very good."]
    assert {row["side"] for row in response.json()["results"]} == {"owner"}
    assert response["Cache-Control"] == "public, max-age=60"
    assert booking.owner.email not in text_of(response)


def test_api_has_no_reviews_of_a_provider_that_is_not_public():
    for what in ("reviews", "late-cancellations"):
        hidden = make_provider(state="suspended")
        assert APIClient().get(f"/api/v1/providers/{hidden.uid}/{what}/").status_code == 404
        assert APIClient().get(f"/api/v1/providers/{uuid.uuid4()}/{what}/").status_code == 404


def test_api_list_asks_the_same_for_one_and_many(booking):
    published(booking)
    client = APIClient()
    assert_constant(lambda: client.get(public(booking.provider)), lambda: more(booking))


def test_api_tells_providers_of_an_owner(booking):
    published(booking)
    asked = make_booking(owner=booking.owner, starts_at=booking.starts_at + 5 * DAY)
    address = f"/api/v1/bookings/{asked.reference}/owner-reviews/"

    [row] = api(manager_of(asked)).get(address).json()["results"]

    assert (row["text"], row["author"], row["side"]) == ("A friendly owner.", booking.provider.name, "provider")
    assert api(booking.owner).get(address).status_code == 403
    assert api(UserFactory()).get(address).status_code == 404
    assert api(manager_of(booking)).get(address).status_code == 404


def test_api_answers_and_objects(booking):
    review = published(booking)
    root = f"/api/v1/reviews/{review.uid}"

    answered = api(manager_of(booking)).post(f"{root}/reply/", {"text": "Thank you!"})
    assert (answered.status_code, answered.json()["reply"]["text"]) == (201, "Thank you!")
    assert answered.json()["reply"]["author"] == booking.provider.name
    again = api(manager_of(booking)).post(f"{root}/reply/", {"text": "More."})
    assert (again.status_code, again.json()["code"]) == (409, "already_replied")
    assert api(booking.owner).post(f"{root}/reply/", {"text": "Me."}).status_code == 403

    flagged = api(booking.owner).post(f"{root}/flag/", {"reason": "insult", "target": "reply"})
    assert (flagged.status_code, flagged.json()["decision"]) == (201, "")
    assert api(booking.owner).post(f"{root}/flag/", {"reason": "insult"}).status_code == 403
    twice = api(booking.owner).post(f"{root}/flag/", {"reason": "spam", "target": "reply"})
    assert (twice.status_code, twice.json()["code"]) == (409, "already_flagged")
    assert list(api(UserFactory()).post(f"{root}/flag/", {"reason": "boring"}).json()["errors"]) == ["reason"]
    assert APIClient().post(f"{root}/flag/", {"reason": "spam"}).status_code == 401


def test_api_keeps_what_is_sealed(booking):
    sealed = write(booking)
    for what, body in (("reply", {"text": "No."}), ("flag", {"reason": "spam"})):
        for user in (manager_of(booking), UserFactory()):
            assert api(user).post(f"/api/v1/reviews/{sealed.uid}/{what}/", body).status_code == 404


# --- The admin ----------------------------------------------------------------------------------


def objected(booking):
    review = published(booking)
    return review, moderation.flag(review, by=manager_of(booking), reason="insult", now=booking.ends_at + HOUR)


def test_admin_only_reads_reviews(client, booking):
    review = published(booking)
    client.force_login(StaffFactory())

    assert booking.reference in text_of(client.get(reverse("admin:reviews_review_changelist")))
    change = reverse("admin:reviews_review_change", args=[review.pk])
    assert client.get(change).status_code == 200
    client.post(change, {"rating": "1", "text": "Bad"})
    review.refresh_from_db()
    assert (review.rating, review.text) == (4, "Very good.")
    assert client.get(reverse("admin:reviews_review_add")).status_code == 403
    assert client.get(reverse("admin:reviews_review_delete", args=[review.pk])).status_code == 403


def test_admin_decides_from_the_queue(client, booking):
    review, flag = objected(booking)
    client.force_login(make_support())
    queue = reverse("admin:reviews_flag_changelist")
    found = {state: client.get(queue, {"state": state}).context["cl"].result_count for state in ("open", "decided")}
    assert found == {"open": 1, "decided": 0}
    change = reverse("admin:reviews_flag_change", args=[flag.pk])
    assert "4 of 5. Very good." in text_of(client.get(change))

    assert client.post(change, {"decision": "hide", "answer": ""}).status_code == 200
    client.post(change, {"decision": "hide", "answer": "Against our rules."})

    review.refresh_from_db()
    assert review.hidden_at is not None
    assert "Against our rules." in text_of(client.get(change))
    again = client.post(change, {"decision": "keep", "answer": "No."})
    assert again.status_code == 403
    changelist = reverse("admin:reviews_review_changelist")
    client.post(changelist, {"action": "show_again", "_selected_action": [review.pk]})
    review.refresh_from_db()
    assert review.hidden_at is None
    response = client.post(changelist, {"action": "show_again", "_selected_action": [review.pk]}, follow=True)
    assert "It is not hidden." in text_of(response)


def test_admin_shows_replies_again(client, booking):
    review = published(booking)
    replies.reply(review, by=manager_of(booking), text="You lie.", now=NOW)
    flag = moderation.flag(review, by=booking.owner, reason="insult", target="reply", now=booking.ends_at)
    staff = StaffFactory()
    client.force_login(staff)
    assert "You lie." in text_of(client.get(reverse("admin:reviews_flag_change", args=[flag.pk])))
    moderation.decide(flag, by=staff, decision="hide", answer="Rude.", now=NOW)

    changelist = reverse("admin:reviews_review_changelist")
    client.post(changelist, {"action": "show_reply_again", "_selected_action": [review.pk]})

    assert Reply.objects.get().hidden_at is None


def test_admin_takes_a_late_cancellation_off(client, booking):
    late(booking)
    client.force_login(StaffFactory())
    changelist = reverse("admin:reviews_latecancellation_changelist")
    assert "The provider cancelled 2 days before the visit" in text_of(client.get(changelist))
    record = LateCancellation.objects.get()

    for action, is_hidden in (("hide", True), ("show", False)):
        client.post(changelist, {"action": action, "_selected_action": [record.pk]})
        record.refresh_from_db()
        assert (record.hidden_at is not None) is is_hidden
