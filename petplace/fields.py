"""Two PostgreSQL column types that Django has no field for."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from psycopg.types.multirange import TimestamptzMultirange

if TYPE_CHECKING:
    BaseField = models.Field[Any, Any]
else:
    BaseField = models.Field

EARTH_RADIUS_M = 6_378_137.0  # the sphere of Web Mercator (EPSG:3857)
MAX_LATITUDE = 85.0  # where the Mercator square ends


class Mercator(NamedTuple):
    """A point in Web-Mercator meters."""

    x: float
    y: float

    @classmethod
    def from_degrees(cls, latitude: float, longitude: float) -> "Mercator":
        """Project a position in degrees (WGS 84, EPSG:3857); latitudes beyond 85 degrees are cut."""
        latitude = max(-MAX_LATITUDE, min(MAX_LATITUDE, latitude))
        return cls(
            EARTH_RADIUS_M * math.radians(longitude),
            EARTH_RADIUS_M * math.asinh(math.tan(math.radians(latitude))),
        )


class PointField(BaseField):
    """A PostgreSQL ``point``; its value is a :class:`Mercator`."""

    def db_type(self, connection: Any) -> str:
        return "point"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Mercator | None:
        if value is None:
            return None
        x, y = str(value).strip("()").split(",")
        return Mercator(float(x), float(y))

    def to_python(self, value: Any) -> Mercator | None:
        return value if value is None or isinstance(value, Mercator) else Mercator(*value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else f"({float(value[0])!r},{float(value[1])!r})"

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::point"


class DateTimeMultirangeField(BaseField):
    """A ``tstzmultirange``; its value is a list of disjoint, ascending half-open ranges ``[start, end)``."""

    def db_type(self, connection: Any) -> str:
        return "tstzmultirange"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[DateTimeTZRange] | None:
        return None if value is None else list(value)

    def get_prep_value(self, value: Any) -> TimestamptzMultirange | None:
        return None if value is None else TimestamptzMultirange(value)

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s::tstzmultirange"
