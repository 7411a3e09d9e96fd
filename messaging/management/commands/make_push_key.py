"""``manage.py make_push_key``: a new key for pushes to browsers."""

from typing import Any

from django.core.management.base import BaseCommand

from messaging.channels import vapid


class Command(BaseCommand):
    help = "Print a new VAPID_PRIVATE_KEY. With another key than before, every browser must be switched on anew."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"VAPID_PRIVATE_KEY={vapid.make_key()}")
