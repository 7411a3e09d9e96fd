"""The point that the public sees instead of an address."""

import hashlib
import hmac
import math
import uuid

from django.conf import settings

METERS_PER_DEGREE = 111_195.0
GRID_DEGREES = 0.005  # about 556 m from north to south
NEAREST_M, FARTHEST_M = 300.0, 700.0
MAX_SHIFTED_M = 1100.0  # after snapping to the grid


def approximate(branch: uuid.UUID, latitude: float, longitude: float) -> tuple[float, float]:
    """Return a point 300-700 m away from the true one, snapped to a grid, at least 300 m off after snapping.

    Direction and distance come from a keyed hash of the branch: the same each time, so that averaging many answers
    reveals nothing, and not to be undone without the secret key. Computed when the address changes and stored.
    """
    column_degrees = GRID_DEGREES / max(0.05, math.cos(math.radians(round(latitude))))
    for attempt in range(64):
        digest = hmac.new(settings.SECRET_KEY.encode(), branch.bytes + bytes([attempt]), hashlib.sha256).digest()
        angle = int.from_bytes(digest[:8], "big") / 2**64 * 2 * math.pi
        distance = NEAREST_M + int.from_bytes(digest[8:16], "big") / 2**64 * (FARTHEST_M - NEAREST_M)
        shifted_latitude = latitude + distance * math.cos(angle) / METERS_PER_DEGREE
        scale = METERS_PER_DEGREE * max(0.05, math.cos(math.radians(latitude)))
        shifted_longitude = longitude + distance * math.sin(angle) / scale
        snapped = (
            round(round(shifted_latitude / GRID_DEGREES) * GRID_DEGREES, 6),
            round(round(shifted_longitude / column_degrees) * column_degrees, 6),
        )
        north = (snapped[0] - latitude) * METERS_PER_DEGREE
        east = (snapped[1] - longitude) * scale
        if NEAREST_M <= math.hypot(north, east) <= MAX_SHIFTED_M:
            break
    return _on_earth(*snapped)


def _on_earth(latitude: float, longitude: float) -> tuple[float, float]:
    return max(-85.0, min(85.0, latitude)), (longitude + 180.0) % 360.0 - 180.0
