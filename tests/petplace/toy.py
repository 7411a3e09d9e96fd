"""A small API of its own, to test the plumbing without any app's rules."""

from typing import Any, ClassVar

from django.urls import include, path, re_path
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from accounts.models import User
from petplace.api import fields, params, serializers, views
from petplace.api.idempotency import idempotent
from petplace.api.pagination import CursorPagination
from petplace.errors import DomainError
from pets.models import Pet


class ToyParams(params.Params):
    size = params.Integer(min_value=1, max_value=9)
    ratio = params.Number(min_value=0)
    kind = params.Choice(["a", "b"])
    kinds = params.Choices(["a", "b", "c"])
    day = params.Date()
    at = params.Instant()
    who = params.Uid()
    open = params.Boolean()
    text = params.Text(max_length=5, default="x")


class ToySerializer(serializers.StrictSerializer):
    name = fields.LineField(max_length=10, required=False)
    text = fields.TextField(max_length=20, required=False, allow_blank=True)
    email = fields.EmailField(required=False)
    size = fields.IntegerField(required=False, max_value=100)
    big = fields.IntegerField(required=False)
    ratio = fields.FloatField(required=False)
    weight = fields.DecimalField(max_digits=5, decimal_places=2, min_value=0, required=False)
    flag = fields.BooleanField(required=False)
    kind = fields.ChoiceField(choices=["a", "b"], required=False)
    day = fields.DateField(required=False)
    at = fields.UtcDateTimeField(required=False)
    opens = fields.TimeField(required=False)
    price = fields.MoneyField(required=False)
    tags = fields.ListField(child=fields.LineField(max_length=5), max_length=3, required=False)
    pet = fields.UidRelatedField(scope=lambda user: Pet.objects.owned_by(user), required=False)
    pets = fields.UidListField(scope=lambda user: Pet.objects.owned_by(user), max_length=3, required=False)
    state = fields.LineField(read_only=True)


class Echo(views.ApiView):
    permission_classes: ClassVar = [AllowAny]
    params_class = ToyParams
    cache_seconds = 30

    def get(self, request: Any) -> Response:
        return Response({name: str(value) for name, value in self.params().items() if value is not None})

    def post(self, request: Any) -> Response:
        serializer = ToySerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        return Response(ToySerializer(serializer.validated_data).data)


class Work(views.ApiView):
    """Creates a pet, so that the tests can count how often the work was done."""

    @idempotent
    def post(self, request: Any) -> Response:
        pet = Pet.objects.create(owner=request.user, name=request.data["name"], species="dog")
        match request.data["name"]:
            case "refused":
                raise DomainError("Not now.", code="not_now")
            case "bug":
                raise RuntimeError("a bug")
            case "soft":
                return Response({"code": "soft"}, status=409)
        return Response({"id": str(pet.uid)}, status=201)


class Raise(views.ApiView):
    permission_classes: ClassVar = [AllowAny]
    errors: ClassVar[dict[str, Exception]] = {}

    def get(self, request: Any, name: str) -> Response:
        raise self.errors[name]


class UserSerializer(serializers.StrictModelSerializer):
    id = serializers.IdField()

    class Meta:
        model = User
        fields = ("id", "full_name", "time_zone", "home_latitude", "date_joined")


class Users(views.GenericViewSet):
    permission_classes: ClassVar = [AllowAny]
    serializer_class = UserSerializer
    queryset = User.objects.order_by("pk")

    def list(self, request: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Any, id: Any) -> Response:
        return Response(self.get_serializer(self.get_object()).data)


class Feed(Users):
    cursor_field = "date_joined"
    pagination_class = CursorPagination


router = SimpleRouter(use_regex_path=False)
router.register("users", Users, basename="users")
router.register("feed", Feed, basename="feed")

urlpatterns = [
    path("api/v1/echo/", Echo.as_view()),
    path("api/v1/work/", Work.as_view()),
    path("api/v1/raise/<name>/", Raise.as_view()),
    path("api/v1/", include(router.urls)),
    re_path(r"^api/", views.not_found),
]
