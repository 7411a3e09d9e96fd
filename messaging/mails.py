"""A notification as a mail: subject, plain text (whole by itself) and HTML, from the folder of its kind."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from messaging import links
from messaging.kinds import Kind

FOLDER = "messaging/kinds"
GENERIC = "generic"
FILES = ("subject.txt", "body.txt", "body.html")


@dataclass(frozen=True)
class Mail:
    """One mail, rendered. ``subject`` is one line."""

    subject: str
    text: str
    html: str


def render(kind: Kind, words: dict[str, Any]) -> Mail:
    """Render the three parts.

    ``words``: title, body, name (of the reader), link, actions (label, url) and unsubscribe_url, all addresses whole;
    ``facts`` (label, value), ``lines`` (label, amount, is_total), ``note`` and ``link_label`` where an app gives them.
    """
    words = {
        "kind": kind,
        "site_url": settings.SITE_URL.rstrip("/"),
        "settings_url": links.absolute(reverse("messaging:preferences")),
        **words,
        "title": one_line(words["title"]),
    }
    folder = f"{FOLDER}/{kind.template or GENERIC}"
    subject, text, html = (render_to_string(f"{folder}/{name}", words) for name in FILES)
    return Mail(one_line(subject), text.strip() + "\n", html)


def one_line(text: str) -> str:
    """Fold every white space and control character: a name with a line break must not become a header."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
