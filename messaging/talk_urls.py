"""Pages of talks: the owner's under `/messages/`, and the same for a team under `/provider/<slug>/messages/`."""

from collections.abc import Callable

from django.urls import URLPattern, URLResolver, path

from messaging.views import quick_replies, talks
from messaging.views.doors import View, for_owner, for_team

app_name = "conversations"


def _pages(guard: Callable[[View], View], prefix: str = "") -> list[URLPattern | URLResolver]:
    one = f"{prefix}<uuid:uid>/"
    return [
        path(prefix, guard(talks.talk_list), name="messages"),
        path(one, guard(talks.talk), name="conversation"),
        path(f"{one}since/<int:seq>/", guard(talks.since), name="conversation_since"),
        path(f"{one}send/", guard(talks.send), name="conversation_send"),
        path(f"{one}read/", guard(talks.read), name="conversation_read"),
        path(f"{one}delivered/", guard(talks.delivered), name="conversation_delivered"),
        path(f"{one}mute/", guard(talks.mute), name="conversation_mute"),
        path(f"{one}report/", guard(talks.report), name="conversation_report"),
        path(f"{one}block/", guard(talks.block), name="conversation_block"),
        path(f"{one}unblock/", guard(talks.unblock), name="conversation_unblock"),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    *_pages(for_owner),
    path("photos/<uuid:uid>", talks.photo, name="photo"),
    path("ask/<slug:slug>/", talks.ask, name="ask"),
]
provider_urlpatterns: list[URLPattern | URLResolver] = [
    *_pages(for_team, "<slug:slug>/messages/"),
    path("<slug:slug>/quick-replies/", quick_replies.replies, name="quick_replies"),
    path("<slug:slug>/quick-replies/<uuid:uid>/", quick_replies.reply, name="quick_reply"),
    path("<slug:slug>/quick-replies/<uuid:uid>/remove/", quick_replies.remove, name="quick_reply_remove"),
]
