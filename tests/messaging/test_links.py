"""One-tap links cannot be forged, lent to another purpose, or used after their time; looking never acts."""

import datetime as dt

import pytest
from django.core import mail, signing
from django.test import Client

from accounts.domain import closing, credentials
from messaging import kinds, links
from messaging.domain import notify, outbox
from messaging.domain.preferences import reach
from messaging.models import Channel, Delivery, Preference
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SUBJECT = "booking:7f1dcf0a-6d5a-4f0f-9d9b-1d8f0f6f4a11"


def token_of(user, verb="accept", **fields):
    return links.make(user, verb, fields.pop("subject", SUBJECT), expires_at=NOW + HOUR, **fields)


def code(token, *, now=NOW, verbs=("accept",)):
    with pytest.raises(links.DeadLinkError) as error:
        links.read(token, now=now, verbs=verbs)
    return error.value.code, error.value.status


def test_a_link_says_who_what_which_and_of_when():
    user = UserFactory()
    link = links.read(token_of(user, stamp=3), now=NOW, verbs=["accept"])
    assert (link.user, link.verb, link.subject, link.stamp) == (user, "accept", SUBJECT, 3)
    assert str(link.uid) == SUBJECT.removeprefix("booking:")


def test_every_single_character_counts():
    token = token_of(UserFactory())
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        forged = token[:place] + other + token[place + 1 :]
        try:
            links.read(forged, now=NOW, verbs=["accept"])
        except links.DeadLinkError:
            continue
        # The last character of base64 has bits that mean nothing: then it is the same signature.
        assert place == len(token) - 1


@pytest.mark.parametrize(
    "token", ["", "abc", "a.b", ".", "..", "\0", "é" * 20, "A" * 5000, "bnVsbA.x", "💥", "%00", "../../etc/passwd"]
)
def test_garbage_is_not_a_link(token):
    assert code(token) == ("link_invalid", 404)


def test_a_signature_for_another_purpose_is_not_a_link():
    said = [UserFactory().uid.hex, "accept", SUBJECT, 0, int((NOW + HOUR).timestamp()), ""]
    assert code(signing.Signer(sep=".").sign_object(said)) == ("link_invalid", 404)


def test_a_payload_cannot_be_moved_to_another_person():
    mine, theirs = token_of(UserFactory()), token_of(UserFactory())
    assert code(f"{theirs.rsplit('.', 1)[0]}.{mine.rsplit('.', 1)[1]}") == ("link_invalid", 404)


def test_a_link_is_good_for_its_own_verb_alone():
    assert code(token_of(UserFactory(), "coming"), verbs=["accept", "decline"]) == ("link_invalid", 404)


def test_a_link_runs_out_to_the_second():
    token = token_of(UserFactory())
    links.read(token, now=NOW + HOUR - dt.timedelta(seconds=1), verbs=["accept"])
    assert code(token, now=NOW + HOUR) == ("link_expired", 410)


def test_a_changed_password_ends_every_link():
    user = UserFactory()
    token = token_of(user)
    credentials.set_password(user, "another-good-password-2", now=NOW)
    assert code(token) == ("link_ended", 410)


def test_a_password_changed_past_our_functions_ends_every_link():
    user = UserFactory()
    token = token_of(user)
    user.set_password("another-good-password-2")
    user.save()
    assert code(token) == ("link_ended", 410)


def test_a_ban_ends_every_link_and_lifting_it_does_not_bring_them_back():
    user = UserFactory()
    token = token_of(user)
    credentials.deactivate(user, now=NOW)
    assert code(token) == ("link_closed", 410)
    credentials.reactivate(user)
    assert code(token) == ("link_ended", 410)


def test_a_closed_account_ends_every_link():
    user = UserFactory()
    token = token_of(user)
    closing.close(user, now=NOW)
    assert code(token) == ("link_closed", 410)


# --- switching e-mails off ------------------------------------------------------------------------


def stop_path(user, kind="review_written"):
    url = links.unsubscribe_url(user, kinds.get(kind), now=dt.datetime.now(dt.UTC))
    return url.removeprefix("http://localhost:8000")


def off(user):
    return set(Preference.objects.filter(user=user, channel="email", is_on=False).values_list("kind", flat=True))


def strict():
    return Client(enforce_csrf_checks=True)


def test_a_mail_carries_the_headers_of_one_click():
    user = UserFactory()
    notify(user, "review_written", key="k", title="A review", body="Good.", now=NOW, channels=(Channel.EMAIL,))
    outbox.deliver_due(now=NOW)
    [sent] = mail.outbox
    headers = sent.extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    url = headers["List-Unsubscribe"]
    assert url.startswith("<http://localhost:8000/notifications/stop/")
    assert url.endswith(">")
    assert url[1:-1] in sent.body


def test_one_click_needs_no_cookie_and_answers_at_once():
    user = UserFactory()

    answer = strict().post(stop_path(user), {"List-Unsubscribe": "One-Click"})

    assert (answer.status_code, answer.content) == (200, b"Done.")
    assert off(user) == {"review_written"}
    assert not reach([user.pk], ["review_written"], now=NOW)[user.pk].wants(kinds.get("review_written"), "email")


def test_one_click_twice_is_once():
    user = UserFactory()
    path = stop_path(user)
    assert [strict().post(path, {"List-Unsubscribe": "One-Click"}).status_code for _ in range(2)] == [200, 200]
    assert off(user) == {"review_written"}


def test_one_click_as_multipart_form_data():
    user = UserFactory()
    strict().post(
        stop_path(user),
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        content_type="multipart/form-data; boundary=b",
    )
    assert off(user) == {"review_written"}


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_switches_nothing_off(method):
    user = UserFactory()

    answer = getattr(strict(), method)(stop_path(user), headers={"Sec-Purpose": "prefetch"})

    assert answer.status_code == 200
    assert off(user) == set()
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    assert "noindex" in answer["X-Robots-Tag"]


def test_the_whole_group_can_be_stopped_and_taken_back_for_the_kind():
    user = UserFactory()
    path = stop_path(user)

    strict().post(path, {"scope": "group"})
    assert off(user) == {kind.name for kind in kinds.all() if kind.group == "reviews" and kind.can_switch("email")}
    assert "These e-mails are off" in strict().get(path).content.decode()

    strict().post(path, {"scope": "again"})
    assert "review_written" not in off(user)


def test_what_waits_is_not_mailed_any_more():
    user = UserFactory()
    notify(user, "review_written", key="k", title="A review", body="Good.", now=NOW)
    strict().post(stop_path(user), {"List-Unsubscribe": "One-Click"})
    outbox.deliver_due(now=NOW)
    assert mail.outbox == []
    assert Delivery.objects.get(channel="email").state == "skipped"


def test_what_must_be_sent_cannot_be_stopped():
    user = UserFactory()
    assert links.unsubscribe_url(user, kinds.get("invoice_issued"), now=NOW) == ""
    forged = links.make(user, "unsubscribe", "kind:invoice_issued", expires_at=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    strict().post(f"/notifications/stop/{forged}/", {"List-Unsubscribe": "One-Click"})
    assert off(user) == set()


def test_it_works_after_a_changed_password_but_not_for_a_closed_account():
    user = UserFactory()
    path = stop_path(user)
    credentials.set_password(user, "another-good-password-2", now=NOW)
    assert strict().get(path).status_code == 200
    closing.close(user, now=NOW)
    assert strict().post(path, {"List-Unsubscribe": "One-Click"}).status_code == 410


def test_a_booking_link_is_no_key_to_the_settings_and_the_other_way_round():
    user = UserFactory()
    far = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    booking = links.make(user, "accept", SUBJECT, expires_at=far)
    stop = links.make(user, "unsubscribe", "kind:review_written", expires_at=far)
    assert strict().post(f"/notifications/stop/{booking}/").status_code == 404
    assert strict().post(f"/bookings/link/{stop}/").status_code == 404
    unknown = links.make(user, "unsubscribe", "kind:no_such_thing", expires_at=far)
    assert strict().get(f"/notifications/stop/{unknown}/").status_code == 404
