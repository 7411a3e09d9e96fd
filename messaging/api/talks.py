"""Talks over the API: the same domain, the same hiding, the same 404 for what is not yours."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from messaging.bubbles import shown_text
from messaging.choices import ConversationKind, MessageKind, ReportReason, Side
from messaging.domain import conversations, moderation, quick_replies
from messaging.models import Conversation, Message, QuickReply
from messaging.models.conversation import TEXT_LENGTH
from petplace.api import fields, pagination, params
from petplace.api.pagination import CursorPagination
from petplace.api.parsers import UploadParser
from petplace.api.serializers import IdField, StrictSerializer
from petplace.api.views import GenericViewSet
from petplace.http import caller_of
from petplace.uploads import clean_photo, private_response
from providers.models import Provider

SIDES = [(side.value, side.label) for side in (Side.OWNER, Side.PROVIDER)]


class ConversationSerializer(StrictSerializer):
    """One talk as the caller may see it. `unread` counts what the other side wrote and the caller has not read."""

    id = IdField()
    kind = fields.ChoiceField(ConversationKind.choices, read_only=True)
    subject = serializers.CharField(read_only=True)
    side = serializers.SerializerMethodField(help_text="For whom the caller speaks.")
    provider = serializers.SerializerMethodField()
    owner_name = serializers.CharField(source="owner.get_full_name", read_only=True)
    is_open_contact = fields.BooleanField(read_only=True, help_text="Phone numbers and e-mail addresses are shown.")
    is_closed = serializers.SerializerMethodField()
    closes_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    last_seq = fields.IntegerField(read_only=True, help_text="The number of the newest message; there are no gaps.")
    last_message_at = fields.UtcDateTimeField(read_only=True)
    read_seq = fields.IntegerField(read_only=True, help_text="Up to which number the caller has read.")
    unread = fields.IntegerField(read_only=True)

    @extend_schema_field(fields.ChoiceField(SIDES))
    def get_side(self, conversation: Conversation) -> str:
        return _side(conversation, self.context["request"])

    @extend_schema_field(
        {
            "type": "object",
            "required": ["id", "slug", "name"],
            "properties": {
                "id": {"type": "string", "format": "uuid"}, "slug": {"type": "string"}, "name": {"type": "string"},
            },
        }
    )  # fmt: skip
    def get_provider(self, conversation: Conversation) -> dict[str, str]:
        provider = conversation.provider
        return {"id": str(provider.uid), "slug": provider.slug, "name": provider.name}

    def get_is_closed(self, conversation: Conversation) -> bool:
        return conversation.is_closed(timezone.now())


class MessageSerializer(StrictSerializer):
    """`text` is what the caller may read. `is_masked`: something is hidden from the other side of its author."""

    id = IdField()
    conversation = fields.UUIDField(source="conversation.uid", read_only=True)
    seq = fields.IntegerField(read_only=True)
    kind = fields.ChoiceField(MessageKind.choices, read_only=True)
    side = fields.ChoiceField(Side.choices, read_only=True)
    author_name = serializers.SerializerMethodField(help_text="Empty for steps of the booking.")
    is_mine = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    is_masked = serializers.SerializerMethodField()
    has_photo = serializers.SerializerMethodField(help_text="Get it at `conversations/{id}/messages/{id}/photo/`.")
    client_id = serializers.SerializerMethodField(help_text="The caller's own number of it; null for others'.")
    at = fields.UtcDateTimeField(read_only=True)

    def _shown(self, message: Message) -> tuple[str, bool]:
        conversation = message.conversation
        return shown_text(message, conversation, _side(conversation, self.context["request"]))

    def get_author_name(self, message: Message) -> str:
        return message.author.get_full_name() if message.author else ""

    def get_is_mine(self, message: Message) -> bool:
        return message.author_id == self.context["request"].user.pk

    def get_text(self, message: Message) -> str:
        return self._shown(message)[0]

    def get_is_masked(self, message: Message) -> bool:
        return self._shown(message)[1]

    def get_has_photo(self, message: Message) -> bool:
        return bool(message.photo)

    @extend_schema_field(fields.UUIDField(allow_null=True))
    def get_client_id(self, message: Message) -> str | None:
        return str(message.client_id) if message.client_id and self.get_is_mine(message) else None


class MessageInput(StrictSerializer):
    text = fields.TextField(max_length=TEXT_LENGTH)
    client_id = fields.UUIDField(help_text="Drawn by the client: sending it again is the same message.")


class EnquiryInput(MessageInput):
    provider = fields.UUIDField()


class MessagePhotoInput(StrictSerializer):
    photo = serializers.FileField(help_text="JPEG, PNG or WEBP, up to 10 MB. Where it was taken is removed.")
    client_id = fields.UUIDField()


class UptoInput(StrictSerializer):
    upto = fields.IntegerField(min_value=0, max_value=2**31 - 1)


class ReportInput(StrictSerializer):
    reason = fields.ChoiceField(ReportReason.choices)
    text = fields.TextField(max_length=TEXT_LENGTH, required=False, default="", allow_blank=True)
    message = fields.UUIDField(required=False, allow_null=True, default=None)


class QuickReplySerializer(StrictSerializer):
    id = IdField()
    title = fields.LineField(max_length=40)
    text = fields.TextField(max_length=TEXT_LENGTH)


def _side(conversation: Conversation, request: Request) -> str:
    """Return the caller's side; who reads it and is not the owner is of the team."""
    return Side.OWNER if conversation.owner_id == request.user.pk else Side.PROVIDER


class ConversationParams(params.Params):
    role = params.Choice(
        [side for side, _ in SIDES], help_text="Only those in which the caller is the owner, or on the provider's team."
    )


class MessageParams(params.Params):
    after = params.Integer(min_value=0, max_value=2**31 - 1, help_text="Only later ones, oldest first.")


class SeqPagination(CursorPagination):
    """By number: newest first, or, with ``?after=``, oldest first. The cursor is the number itself."""

    def paginate_queryset(self, queryset: QuerySet[Any], request: Request, view: Any = None) -> list[Any]:
        self.request = request
        _, size = pagination.read_page(request)
        is_ascending = "after" in request.query_params
        given = request.query_params.get("cursor") or ""
        if given:
            if not (given.isascii() and given.isdigit() and len(given) < 10):
                raise serializers.ValidationError({"cursor": ["Take the cursor from the previous answer."]})
            queryset = queryset.filter(**{"seq__gt" if is_ascending else "seq__lt": int(given)})
        rows = list(queryset.order_by("seq" if is_ascending else "-seq")[: size + 1])
        self.next_cursor = str(rows[size - 1].seq) if rows[size:] else None
        return rows[:size]


class ConversationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """The caller's talks, newest first: as an owner and as a member of teams."""

    serializer_class = ConversationSerializer
    pagination_class = CursorPagination
    params_class = ConversationParams
    cursor_field = "last_message_at"
    queryset = Conversation.objects.none()

    def get_queryset(self) -> Any:
        user = caller_of(self.request)
        role = self.params().get("role") if self.action == "list" else None
        found = Conversation.objects.of(user, role) if role else Conversation.objects.visible_to(user)
        return found.for_caller(user)

    @extend_schema(request=EnquiryInput, responses={201: MessageSerializer})
    def create(self, request: Request) -> Response:
        """Ask a provider something before a booking exists; more questions go into the same talk."""
        given = EnquiryInput(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        provider = get_object_or_404(Provider.objects.public(), uid=data["provider"])
        message = conversations.enquire(
            provider, by=caller_of(request), text=data["text"], client_id=data["client_id"], now=timezone.now()
        )
        return Response(MessageSerializer(message, context=self.get_serializer_context()).data, status=201)

    @extend_schema(request=UptoInput, responses={204: None})
    def read(self, request: Request, id: UUID) -> Response:
        """Say up to which number the caller has read. Marks never go back."""
        return self._mark(request, conversations.read)

    @extend_schema(request=UptoInput, responses={204: None})
    def delivered(self, request: Request, id: UUID) -> Response:
        """Say up to which number messages have reached a device of the caller."""
        return self._mark(request, conversations.deliver)

    def _mark(self, request: Request, mark: Any) -> Response:
        conversation = self.get_object()
        given = UptoInput(data=request.data)
        given.is_valid(raise_exception=True)
        mark(conversation, by=caller_of(request), upto=given.validated_data["upto"], now=timezone.now())
        return Response(status=204)

    @extend_schema(request=ReportInput, responses={201: None})
    def report(self, request: Request, id: UUID) -> Response:
        """Ask staff to look at the talk, or at one message of it."""
        conversation = self.get_object()
        given = ReportInput(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        message = None
        if data["message"] is not None:
            message = get_object_or_404(Message, conversation=conversation, uid=data["message"])
        moderation.report(
            conversation, by=caller_of(request), reason=data["reason"], text=data["text"], message=message,
            now=timezone.now(),
        )  # fmt: skip
        return Response(status=201)

    @extend_schema(request=None, responses={204: None})
    def block(self, request: Request, id: UUID) -> Response:
        """Hear nothing more of the other side: it finds none of the talks with the caller's side any more."""
        moderation.block(self.get_object(), by=caller_of(request))
        return Response(status=204)

    @extend_schema(request=None, responses={204: None})
    def unblock(self, request: Request, id: UUID) -> Response:
        moderation.unblock(self.get_object(), by=caller_of(request))
        return Response(status=204)


class MessageViewSet(mixins.ListModelMixin, GenericViewSet):
    """The messages of one talk."""

    serializer_class = MessageSerializer
    pagination_class = SeqPagination
    params_class = MessageParams
    queryset = Message.objects.none()

    def _talk(self) -> Conversation:
        visible = Conversation.objects.visible_to(caller_of(self.request)).select_related("provider", "owner")
        return get_object_or_404(visible, uid=self.kwargs["conversation"])

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Message.objects.none()
        found = Message.objects.filter(conversation=self._talk())
        after = self.params()["after"]
        if after is not None:
            found = found.filter(seq__gt=after)
        return found.select_related("author", "conversation")

    @extend_schema(request=MessageInput, responses={201: MessageSerializer})
    def create(self, request: Request, conversation: UUID) -> Response:
        """Write a message. The same `client_id` again gives the same message."""
        talk = self._talk()
        given = MessageInput(data=request.data)
        given.is_valid(raise_exception=True)
        message = conversations.post(talk, by=caller_of(request), now=timezone.now(), **given.validated_data)
        return Response(self.get_serializer(message).data, status=201)

    @extend_schema(request={"multipart/form-data": MessagePhotoInput}, responses={201: MessageSerializer})
    def create_photo(self, request: Request, conversation: UUID) -> Response:
        """Send a photo as a form. It is made anew: where it was taken is gone."""
        talk = self._talk()
        given = MessagePhotoInput(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            photo = clean_photo(given.validated_data["photo"])
        except ValidationError as error:
            raise serializers.ValidationError({"photo": error.messages}) from None
        message = conversations.post(
            talk, by=caller_of(request), photo=photo, client_id=given.validated_data["client_id"], now=timezone.now()
        )
        return Response(self.get_serializer(message).data, status=201)

    @extend_schema(responses={(200, "image/*"): OpenApiResponse(OpenApiTypes.BINARY)})
    def photo(self, request: Request, conversation: UUID, id: UUID) -> HttpResponse:
        """Return the photo of a message."""
        message = get_object_or_404(Message.objects.exclude(photo=""), conversation=self._talk(), uid=id)
        return private_response(message.photo, filename=f"photo {message.seq}")


class PhotoUploadViewSet(MessageViewSet):
    """Sending photos into a talk."""

    parser_classes = [UploadParser]


class QuickReplyViewSet(mixins.ListModelMixin, GenericViewSet):
    """The texts that a provider's team sends often; everybody of the team may change them."""

    serializer_class = QuickReplySerializer
    queryset = QuickReply.objects.none()

    def _provider(self) -> Provider:
        return get_object_or_404(Provider.objects.run_by(caller_of(self.request)), uid=self.kwargs["provider"])

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return QuickReply.objects.none()
        return QuickReply.objects.filter(provider=self._provider())

    def create(self, request: Request, provider: UUID) -> Response:
        made = quick_replies.add(self._provider(), **self._given(request))
        return Response(self.get_serializer(made).data, status=201)

    def partial_update(self, request: Request, provider: UUID, id: UUID) -> Response:
        changed = quick_replies.change(self.get_object(), **self._given(request, partial=True))
        return Response(self.get_serializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, provider: UUID, id: UUID) -> Response:
        quick_replies.remove(self.get_object())
        return Response(status=204)

    def _given(self, request: Request, *, partial: bool = False) -> dict[str, str]:
        given = self.get_serializer(data=request.data, partial=partial)
        given.is_valid(raise_exception=True)
        return given.validated_data
