"""The panel on the administration's front page."""

from typing import Any

from django import template
from django.utils import timezone

from messaging.domain import health
from messaging.models import Delivery, DeliveryState

register = template.Library()


@register.inclusion_tag("admin/_delivery_health.html")
def delivery_health() -> dict[str, Any]:
    """Show the worker's and the deliveries' health in red or green."""
    return {
        "report": health.report(now=timezone.now()),
        "dead": Delivery.objects.filter(state=DeliveryState.DEAD).count(),
    }
