"""Whether what people should hear is really on its way."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min

from messaging.choices import Channel, DeliveryState
from messaging.domain import outbox
from messaging.models import Delivery
from petplace.models import Heartbeat

WORKER = "worker"
WORKER_SILENT = timedelta(seconds=60)  # it beats each 5 seconds, unless it is busy with something long
LATE_AFTER = timedelta(minutes=5)
# So many tries in vain are about two minutes.
AWAY_AFTER = 3


@dataclass(frozen=True)
class Report:
    """How long the oldest due delivery waits, how long ago the worker was seen by its clock, which servers are away."""

    oldest: timedelta
    worker_seen: timedelta | None
    away: tuple[str, ...]

    @property
    def is_worker_silent(self) -> bool:
        return self.worker_seen is None or self.worker_seen > WORKER_SILENT

    @property
    def is_late(self) -> bool:
        return self.is_worker_silent or self.oldest > LATE_AFTER or bool(self.away)

    @property
    def problems(self) -> list[str]:
        """Say in sentences what is wrong."""
        said = []
        if self.worker_seen is None:
            said.append("The worker has never been seen. Is it running?")
        elif self.is_worker_silent:
            said.append(f"The worker was last seen {_ago(self.worker_seen)} ago. Is it running, and beat with it?")
        if self.oldest > LATE_AFTER:
            said.append(f"The oldest due delivery has been waiting for {_ago(self.oldest)}.")
        said += [f"The server for {name.lower()} does not answer." for name in self.away]
        return said


def report(*, now: datetime) -> Report:
    """Look, in three statements. Push is left out of ``away``: there each reader's own service counts."""
    oldest = outbox.due(now).aggregate(at=Min("due_at"))["at"]
    seen = Heartbeat.objects.filter(name=WORKER).values_list("at", flat=True).first()
    stuck = (
        Delivery.objects.filter(
            state=DeliveryState.WAITING, outages__gte=AWAY_AFTER, channel__in=(Channel.EMAIL, Channel.SMS)
        )
        .order_by("channel")
        .values_list("channel", flat=True)
        .distinct()
    )
    return Report(
        oldest=now - oldest if oldest else timedelta(0),
        worker_seen=None if seen is None else now - seen,
        away=tuple(str(Channel(channel).label) for channel in stuck),
    )


def _ago(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 120:
        return f"{seconds} seconds"
    return f"{seconds // 60} minutes" if seconds < 7200 else f"{seconds // 3600} hours"
