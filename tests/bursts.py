"""Many at once: every caller has its database connection open before all are let go together."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection


def burst(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Return what ``call(0)`` ... ``call(count - 1)`` answered, each from a thread of its own."""
    barrier = threading.Barrier(count)
    answers: list[Any] = [None] * count

    def run(number: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            answers[number] = call(number)
        except BaseException as error:
            answers[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert not errors, errors
    return answers
