"""Requests under ASGI: each whole in one of a few threads."""

import asyncio
import threading

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone

from petplace import threaded
from petplace.threaded import ThreadedHandler


def scope(path, method="GET"):
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "root_path": ""}


def handler(respond, threads=2):
    made = ThreadedHandler(threads)
    made.get_response = respond
    return made


async def get(application, path="/"):
    client = ApplicationCommunicator(application, scope(path))
    await client.send_input({"type": "http.request", "body": b""})
    start = await client.receive_output(5)
    body = b""
    while True:
        part = await client.receive_output(5)
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    await client.wait(5)
    return start["status"], dict(start["headers"]), body


def test_a_request_is_answered_and_ended_in_a_thread_of_the_few():
    seen, ended = set(), []

    def respond(request):
        seen.add(threading.current_thread().name)
        response = HttpResponse(request.path)
        response._resource_closers.append(lambda: ended.append(threading.current_thread().name))
        return response

    async def many():
        application = handler(respond)
        return await asyncio.gather(*[get(application, f"/{number}") for number in range(20)])

    answers = asyncio.run(many())
    assert [body for _, _, body in answers] == [f"/{number}".encode() for number in range(20)]
    assert len(seen) <= 2
    assert len(ended) == 20
    assert set(ended) <= seen


def test_what_is_set_for_a_request_does_not_stay_in_its_thread():
    def respond(request):
        was = timezone.get_current_timezone_name()
        timezone.activate("Asia/Almaty")
        return HttpResponse(was)

    async def twice():
        application = handler(respond, threads=1)
        return [await get(application), await get(application)]

    assert [body for _, _, body in asyncio.run(twice())] == [b"UTC", b"UTC"]


def test_a_file_is_streamed_and_closed():
    closed = threading.Event()

    async def pieces():
        yield b"a"
        yield b"b"

    def respond(request):
        response = StreamingHttpResponse(pieces())
        response._resource_closers.append(closed.set)
        return response

    assert asyncio.run(get(handler(respond)))[2] == b"ab"
    assert closed.is_set()


def test_a_client_that_leaves_ends_the_stream():
    closed = threading.Event()

    async def endless():
        while True:
            yield b"."
            await asyncio.sleep(0.01)

    def respond(request):
        response = StreamingHttpResponse(endless())
        response._resource_closers.append(closed.set)
        return response

    async def leave():
        client = ApplicationCommunicator(handler(respond), scope("/"))
        await client.send_input({"type": "http.request", "body": b""})
        await client.receive_output(5)
        await client.send_input({"type": "http.disconnect"})
        await client.wait(5)

    asyncio.run(leave())
    assert closed.is_set()


def test_who_finds_no_thread_in_time_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(threaded, "LONGEST_QUEUE", 0.05)
    done = threading.Event()

    def respond(request):
        done.wait(5)
        return HttpResponse("done")

    async def crowd():
        application = handler(respond, threads=1)
        first = asyncio.ensure_future(get(application))
        await asyncio.sleep(0.01)
        second, page = await get(application, "/api/v1/pets/"), await get(application)
        done.set()
        return await first, second, page

    first, (status, headers, body), page = asyncio.run(crowd())
    assert first[0] == 200
    assert (status, headers[b"Retry-After"]) == (503, b"2")
    assert b'"code": "busy"' in body
    assert (page[0], page[1][b"Retry-After"]) == (503, b"2")
    assert page[2].startswith(b"<!DOCTYPE html>")


def test_a_client_that_leaves_while_it_sends_is_forgotten():
    async def leave():
        client = ApplicationCommunicator(handler(lambda request: pytest.fail("not reached")), scope("/", "POST"))
        await client.send_input({"type": "http.disconnect"})
        await client.wait(5)

    asyncio.run(leave())
