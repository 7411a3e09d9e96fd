"""The two guards at the gate, under WSGI and ASGI."""

import errno
from typing import Any

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from petplace.middleware import DatabaseAwayMiddleware, is_database_away

raised: list[Exception] = []


def failing_view(request: HttpRequest) -> HttpResponse:
    raise raised[0]


class FailingApi(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def get(self, request: Any) -> Response:
        raise raised[0]


def fine(request: HttpRequest, anything: str = "") -> HttpResponse:
    return HttpResponse("fine")


urlpatterns = [
    path("page/", failing_view),
    path("api/v1/thing/", FailingApi.as_view()),
    path("fine/", fine),
    path("fine/<str:anything>/", fine),
]
handler500 = "petplace.middleware.server_error"

pytestmark = pytest.mark.urls(__name__)


def operational(cause: type[psycopg.Error] | None) -> OperationalError:
    error = OperationalError("the server said no\nwith details")
    error.__cause__ = cause("no") if cause else psycopg.OperationalError("connection refused")
    return error


AWAY = [
    None,  # no answer at all
    psycopg.errors.AdminShutdown,
    psycopg.errors.CrashShutdown,
    psycopg.errors.CannotConnectNow,
    psycopg.errors.TooManyConnections,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DiskFull,
    psycopg.errors.QueryCanceled,
    psycopg.errors.ConnectionFailure,
]


@pytest.fixture(autouse=True)
def _nothing_raised_yet() -> None:
    raised.clear()


@pytest.mark.parametrize("cause", AWAY)
def test_lost_database_is_503_problem_under_the_api(client: Client, cause: type[psycopg.Error] | None) -> None:
    raised.append(operational(cause))

    response = client.get("/api/v1/thing/")

    assert (response.status_code, response["Retry-After"], response["Cache-Control"]) == (503, "2", "no-store")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Service unavailable",
        "status": 503,
        "detail": "The service cannot be reached for a moment. Please try again shortly.",
        "code": "service_unavailable",
    }


@pytest.mark.parametrize("cause", AWAY)
def test_lost_database_is_a_calm_page_elsewhere(client: Client, cause: type[psycopg.Error] | None) -> None:
    raised.append(operational(cause))

    response = client.get("/page/")

    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert response["Content-Type"].startswith("text/html")
    assert "try again" in response.content.decode()


@pytest.mark.parametrize("url", ["/page/", "/api/v1/thing/"])
def test_lost_database_is_503_under_asgi_too(async_client: AsyncClient, url: str) -> None:
    raised.append(operational(psycopg.errors.AdminShutdown))

    response = async_to_sync(async_client.get)(url)

    assert (response.status_code, response["Retry-After"]) == (503, "2")


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("duplicate"),
        ValueError("a bug"),
        InterfaceError("cursor misused"),
        operational(psycopg.errors.UndefinedTable),
    ],
)
@pytest.mark.parametrize(("url", "kind"), [("/page/", "text/html; charset=utf-8"), ("/api/v1/thing/", None)])
def test_other_errors_stay_errors(error: Exception, url: str, kind: str | None) -> None:
    raised.append(error)

    response = Client(raise_request_exception=False).get(url)

    assert response.status_code == 500
    assert response["Content-Type"] == (kind or "application/problem+json")
    assert "Retry-After" not in response


def test_transaction_ended_for_idling_counts_as_away() -> None:
    error = InternalError("terminating connection")
    error.__cause__ = psycopg.errors.IdleInTransactionSessionTimeout("no")

    assert (is_database_away(error), is_database_away(InternalError("something else"))) == (True, False)


def test_closed_connection_counts_as_away() -> None:
    assert is_database_away(InterfaceError("connection already closed"))


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 503), (errno.EDQUOT, 503), (errno.EACCES, None)])
def test_no_room_for_a_file_is_a_503(rf: RequestFactory, number: int, status: int | None) -> None:
    answer = DatabaseAwayMiddleware(fine).process_exception(rf.post("/api/v1/pets/"), OSError(number, "no"))

    assert (answer and (answer.status_code, answer["Retry-After"])) == (status and (status, "2"))


class MiddlewareThatAsksTheDatabase:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raise raised[0]


@pytest.mark.parametrize(
    ("cause", "status"), [(psycopg.errors.AdminShutdown, 503), (psycopg.errors.UndefinedTable, 500)]
)
def test_error_inside_another_middleware_is_answered_the_same(cause: type[psycopg.Error], status: int) -> None:
    raised.append(operational(cause))
    name = f"{__name__}.MiddlewareThatAsksTheDatabase"

    with override_settings(MIDDLEWARE=["petplace.middleware.DatabaseAwayMiddleware", name]):
        response = Client(raise_request_exception=False).get("/api/v1/thing/")

    assert (response.status_code, response.json()["status"]) == (status, status)


@pytest.mark.django_db(transaction=True)
def test_broken_connection_is_replaced_for_the_next_request(rf: RequestFactory) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        first = cursor.fetchone()[0]
    error = operational(psycopg.errors.AdminShutdown)

    DatabaseAwayMiddleware(fine).process_exception(rf.get("/page/"), error)

    assert connection.connection is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone()[0] != first


BAD = ["/fine/?q=%00", "/fine/?q=a%00b", "/fine/?q=%ff", "/fine/?q=%ed%a0%80", "/fine/?%c3%28=1", "/fine/a%00b/"]


@pytest.mark.parametrize("url", BAD)
def test_bad_bytes_are_400(client: Client, url: str) -> None:
    response = client.get(url)

    assert (response.status_code, response["Content-Type"]) == (400, "text/html; charset=utf-8")


@pytest.mark.parametrize("url", BAD)
def test_bad_bytes_are_400_under_asgi(async_client: AsyncClient, url: str) -> None:
    assert async_to_sync(async_client.get)(url).status_code == 400


def test_bad_bytes_under_the_api_are_a_problem(client: Client) -> None:
    response = client.get("/api/v1/thing/?near=%00")

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert response.json()["code"] == "bad_request"


@pytest.mark.parametrize("url", ["/fine/", "/fine/?q=%C3%A9%F0%9F%90%B6", "/fine/?q=a+b%26c", "/fine/%F0%9F%90%B6/"])
def test_good_bytes_pass(client: Client, url: str) -> None:
    assert client.get(url).content == b"fine"
