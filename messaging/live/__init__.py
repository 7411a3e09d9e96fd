"""Streams to open pages. No rules live here: who is told what is decided by ``messaging.domain.live``."""
