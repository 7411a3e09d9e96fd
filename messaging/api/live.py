"""The stream over the API, for clients that are no browser of ours."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from messaging.live.hub import Viewer
from messaging.live.stream import hand_over, is_possible, no_streams, place_of
from petplace.api.views import ApiView
from petplace.http import caller_of


class EventStreamView(ApiView):
    """Lines of the caller's stream as they happen."""

    http_method_names = ["get"]

    @extend_schema(
        operation_id="events_stream",
        parameters=[
            OpenApiParameter("after", str, description="The `id` of the last event seen, as `Last-Event-ID` says it."),
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="Go on after this event."),
        ],
        responses={
            (200, "text/event-stream"): OpenApiTypes.STR,
            503: OpenApiResponse(description="No streams at this address now; `Retry-After` says when to try again."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Open a stream of server-sent events (`text/event-stream`).

        Each event carries an `id`; send the last one as `Last-Event-ID` and nothing is missed or doubled. An event
        `reset` means that too much was missed: read again what you show. Events hold ids and states, never texts:
        fetch what you need. The stream ends with the access token; come back with a fresh one. At most six streams a
        person: one more ends the oldest, which gets the event `crowded`.
        """
        if request.auth is None or not is_possible(request._request):
            return no_streams()
        user, token = caller_of(request), request.auth.payload  # type: ignore[union-attr] # an AccessToken
        viewer = Viewer(
            user_id=user.pk,
            user_uid=user.uid,
            family=UUID(token["fam"]),
            version=token["ver"],
            ends_at=float(token["exp"]),
            **place_of(request._request),
        )
        return hand_over(request._request, viewer)
