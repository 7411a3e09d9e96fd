"""What a server does before its first request."""

import gc

from django.urls import get_resolver

from providers.domain import places


def freeze() -> None:
    """Hide all that lives now from the garbage collector; it stays for good.

    A full collection walks every object: with the application loaded that is 0.2 s in which a process answers nobody,
    now and then.
    """
    gc.collect()
    gc.freeze()


def warm_up() -> None:
    """Import all pages (two seconds), build the index of place names (one), then ``freeze``.

    Where processes are forked, call it before: they share the pages, and no child is born while a thread holds the
    index's lock.
    """
    _ = get_resolver().namespace_dict  # whoever asked for the first page would wait
    places.warm_up()
    freeze()
