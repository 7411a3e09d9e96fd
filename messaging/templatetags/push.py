"""``{% push_devices %}``: the browsers and apps of the reader that get pushes, with the button for this browser."""

from typing import Any

from django import template
from django.utils import timezone

from messaging.channels import vapid
from messaging.models import Device

register = template.Library()


@register.inclusion_tag("messaging/_devices.html", takes_context=True)
def push_devices(context: dict[str, Any]) -> dict[str, Any]:
    request = context["request"]
    return {
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "devices": Device.objects.owned_by(request.user).signed_in(timezone.now()),
        "push_key": vapid.public_key(),
    }
