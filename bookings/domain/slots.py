"""When a service can be booked: free slots, the step that starts must be on, and the nearest alternatives.

A start is bookable when its wall-clock time at the branch is a whole number of ``slot_step_minutes`` after local
midnight, and the whole span with its buffers lies in the open hours of a free resource of every needed kind. The step
counts from midnight and not from the opening, so that search, slots and booking agree without knowing the rules that
the open hours came from. A wall-clock time that comes twice on a night of changing clocks gives two starts.
"""

from datetime import datetime

from providers.models import Service


def is_on_step(service: Service, start: datetime) -> bool:
    """Whether ``start`` is one of the starts that the service offers. A stay may start at any minute."""
    if service.is_overnight:
        return start.second == 0 and start.microsecond == 0
    local = start.astimezone(service.branch.zone)
    if local.second or local.microsecond:
        return False
    return (local.hour * 60 + local.minute) % service.slot_step_minutes == 0
