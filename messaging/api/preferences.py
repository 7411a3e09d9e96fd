"""How the caller wants to be reached."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from messaging.api.serializers import PreferencesSerializer
from messaging.choices import OUTSIDE
from messaging.domain import preferences
from messaging.domain.preferences import Switch
from petplace.api.views import ApiView
from petplace.http import caller_of


class PreferencesView(ApiView):
    """Quiet hours, text messages, and a switch for each kind of notification on each channel."""

    @extend_schema(responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        return Response(_shown(caller_of(request)))

    @extend_schema(request=PreferencesSerializer, responses=PreferencesSerializer)
    def patch(self, request: Request) -> Response:
        """Change what is named. All of it or nothing."""
        serializer = PreferencesSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = dict(serializer.validated_data)
        switches = [Switch(**one) for one in changes.pop("switches", [])]
        preferences.change(caller_of(request), switches=switches, **changes)
        return Response(_shown(caller_of(request)))


def _shown(user: User) -> dict[str, Any]:
    contact, chosen = preferences.contact_of(user), preferences.chosen_by(user)
    contact.kinds = [  # type: ignore[attr-defined]
        {
            "name": kind.name,
            "label": kind.label,
            "group": kind.group,
            "urgency": kind.urgency,
            "channels": [
                {
                    "channel": channel,
                    "is_on": kind.is_on(channel, chosen.get((kind.name, channel))),
                    "can_switch": kind.can_switch(channel),
                }
                for channel in OUTSIDE
            ],
        }
        for kind in preferences.kinds_for(user)
    ]
    return PreferencesSerializer(contact).data
