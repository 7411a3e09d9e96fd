"""The Celery application. Tasks live in each app's ``tasks.py``; the schedule is in the settings."""

import os
from typing import Any

from celery import Celery, signals

from petplace import request_context

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")

app = Celery("petplace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Let Django's logging stand: a receiver here is Celery's sign not to put its own in its place."""


@signals.task_prerun.connect
def enter_job(task_id: str, task: Any, **kwargs: Any) -> None:
    """Name the job in its log lines and in what it writes to the audit, unless it runs inside a request."""
    if not request_context.current().request_id:
        task.request.context_token = request_context.enter(request_context.of_job(task_id))


@signals.task_postrun.connect
def leave_job(task: Any, **kwargs: Any) -> None:
    token = getattr(task.request, "context_token", None)
    if token is not None:
        task.request.context_token = None
        request_context.leave(token)
