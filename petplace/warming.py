"""What a server does before its first request."""

import gc

from providers.domain import places


def warm_up() -> None:
    """Build the index of place names (a second), then hide all that lives from the garbage collector.

    A full collection walks every object: with the application loaded that is 0.2 s in which a process answers nobody,
    now and then. What is here by now stays for good. Where processes are forked, call it before: they share the pages,
    and no child is born while a thread holds the index's lock.
    """
    places.warm_up()
    gc.collect()
    gc.freeze()
