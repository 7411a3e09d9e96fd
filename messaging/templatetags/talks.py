"""The number beside "Messages" in the menus, and times of talks."""

from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from messaging.choices import Side
from messaging.models import Conversation
from petplace.templatetags.ui import local_time_text

register = template.Library()


@register.simple_tag(takes_context=True)
def unread_talks(context: dict[str, Any], menu: str) -> int:
    """Count the talks with something new: of ``provider`` in its menus, the reader's own in theirs. Once per page."""
    request = context.get("request")
    user = getattr(request, "user", None)
    provider = context.get("provider") if menu.startswith("provider") else None
    if user is None or not user.is_authenticated or (menu.startswith("provider") and not provider):
        return 0
    counted: dict[int | None, int] = request.__dict__.setdefault("_unread_talks", {})
    key = getattr(provider, "pk", None)
    if key not in counted:
        if key is None:
            counted[key] = Conversation.objects.of_owner(user).unread_by(user, Side.OWNER).count()
        else:
            talks = Conversation.objects.of_team(user).filter(provider_id=key)
            counted[key] = talks.unread_by(user, Side.PROVIDER).count()
    return counted[key]


@register.filter
def chat_day(day: date) -> str:
    """Return ``Today``, ``Yesterday`` or the date, by the reader's days."""
    today = timezone.localdate()
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%a, %b} {day.day}" + (f", {day.year}" if day.year != today.year else "")


@register.filter
def chat_time(moment: datetime) -> SafeString:
    """Return when something was last said, short: the clock today, else the day; the whole time in the element."""
    local = timezone.localtime(moment)
    today = timezone.localdate()
    if local.date() == today:
        text = f"{local:%H:%M}"
    elif today - local.date() < timedelta(days=7):
        text = f"{local:%a}"
    else:
        text = f"{local:%b} {local.day}" + (f", {local.year}" if local.year != today.year else "")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), local_time_text(moment), text)
