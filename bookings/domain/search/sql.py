"""The one statement of the search. Values are always parameters; only fixed fragments are joined."""

import math
from datetime import datetime, timedelta
from typing import Any

from bookings.domain.search.query import Query
from petplace.fields import EARTH_RADIUS_M as MERCATOR_RADIUS_M
from petplace.fields import Mercator
from providers.choices import offer_mask

EARTH_RADIUS_M = 6_371_008.8  # the mean radius, for distances on the ground
CAP = 500
MAX_RADIUS_KM = 200.0
ORDERINGS = ("distance", "price", "rating")

# Great-circle meters from Web-Mercator coordinates alone, so that the covering index answers without the table.
METERS = f"""{2 * EARTH_RADIUS_M!r} * asin(least(1, sqrt(
           (sinh((branch.mercator[1] - %(y)s) / {2 * MERCATOR_RADIUS_M!r}) ^ 2
            + sin((branch.mercator[0] - %(x)s) / {2 * MERCATOR_RADIUS_M!r}) ^ 2)
           / (%(cosh)s * cosh(branch.mercator[1] / {MERCATOR_RADIUS_M!r})))))"""

# Column of the answer -> where it comes from.
SELECTED = {
    "provider_id": "provider.id",
    "provider_uid": "provider.uid",
    "slug": "provider.slug",
    "name": "provider.name",
    "kind": "provider.kind",
    "currency": "provider.currency",
    "rating_sum": "provider.rating_sum",
    "review_count": "provider.review_count",
    "avatar": "provider.avatar",
    "checked": "provider.checked",
    "figures": "provider.figures",
    "branch_uid": "branch.uid",
    "branch_name": "branch.name",
    "city": "branch.city",
    "country": "branch.country",
    "time_zone": "branch.time_zone",
    "latitude": "branch.approximate_latitude",
    "longitude": "branch.approximate_longitude",
    "meters": "place.meters",
    "service_id": "service.id",
    "service_uid": "service.uid",
    "service_kind": "service.kind",
    "service_name": "service.name",
    "is_overnight": "service.is_overnight",
    "is_instant": "service.is_instant",
    "duration_minutes": "service.duration_minutes",
    "check_in": "service.check_in",
    "check_out": "service.check_out",
    "slot_step_minutes": "service.slot_step_minutes",
    "minimum_notice_minutes": "service.minimum_notice_minutes",
    "maximum_advance_days": "service.maximum_advance_days",
    "price": "place.price",
    "units": "place.units",
    "starts_at": "place.starts_at",
    "ends_at": "place.ends_at",
}
COLUMNS = tuple(SELECTED)

ORDER_BY = {
    "distance": "place.meters, place.branch_id",
    "price": "place.price, place.meters, place.branch_id",
    "rating": """provider.rating_sum::numeric / nullif(provider.review_count, 0) DESC NULLS LAST,
                 provider.review_count DESC, place.meters, place.branch_id""",
}

# Inner query first: the index gives the branches near by, sorted by distance; each is asked for its cheapest matching
# offer until CAP + 1 have answered. The sort of the inner query is what lets the outer one stop early.
STATEMENT = """
WITH matched AS MATERIALIZED (
    SELECT near.branch_id, near.provider_id, near.meters, offer.*
      FROM (SELECT branch.id AS branch_id, branch.provider_id, {meters} AS meters
              FROM providers_branch branch
             WHERE branch.is_listed
               AND ({circles})
               AND {meters} <= %(radius)s
               AND (branch.service_radius_km IS NULL OR {meters} <= branch.service_radius_km * 1000)
               {mask}
             ORDER BY meters, branch.id) near
     CROSS JOIN LATERAL ({seller}) seller
     CROSS JOIN LATERAL (
           {offer}
            ORDER BY price, service.duration_minutes, service.id
            LIMIT 1) offer
     {of_provider}
     ORDER BY near.meters, near.branch_id
     LIMIT %(cap)s + 1
),
looked_at AS (SELECT * FROM matched ORDER BY meters, branch_id LIMIT %(cap)s),
place AS MATERIALIZED (
    SELECT DISTINCT ON (provider_id) * FROM looked_at ORDER BY provider_id, meters, branch_id
),
page AS (
    SELECT place.*, row_number() OVER (ORDER BY {order_by}) AS position
      FROM place
      {order_from}
     ORDER BY position
     LIMIT %(limit)s OFFSET %(offset)s
)
SELECT found.total, found.is_capped, answer.*
  FROM (SELECT (SELECT count(*) FROM place) AS total, (SELECT count(*) > %(cap)s FROM matched) AS is_capped) found
  LEFT JOIN (SELECT {selected}, place.position
               FROM page place
               JOIN providers_provider provider ON provider.id = place.provider_id
               JOIN providers_branch branch ON branch.id = place.branch_id
               JOIN providers_service service ON service.id = place.service_id) answer ON true
 ORDER BY answer.position
"""

# What all prices of a branch's provider have in common: the tax that is added, and the platform's usual share.
SELLER = """
SELECT seller.currency, CASE WHEN seller.is_tax_inclusive THEN 0 ELSE seller.tax_rate_bp END AS tax_bp,
       usual.owner_bp, usual.cap
  FROM providers_provider seller
  LEFT JOIN LATERAL (
       SELECT rule.owner_bp, CASE WHEN rule.cap_currency = seller.currency THEN rule.cap_amount END AS cap
         FROM payments_commissionrule rule
        WHERE rule.service_id IS NULL AND rule.provider_kind IN (seller.kind, '')
        ORDER BY rule.provider_kind DESC
        LIMIT 1) usual ON true
 WHERE seller.id = near.provider_id
OFFSET 0"""

# The price of one unit (a visit or a night) for all the pets; pricing.py says the same in Python.
UNIT = "service.price + service.extra_pet_price * (%(pets)s - 1)"

# What units cost at the asked time, before fee and tax.
CARE = f"""span.units * ({UNIT})
                      + CASE WHEN service.holiday_percent = 0 THEN 0
                             ELSE (({UNIT}) * service.holiday_percent + 50) / 100
                                  * (SELECT count(*)
                                       FROM providers_publicholiday holiday
                                      WHERE holiday.country = home.country
                                        AND holiday."on" >= local.first_day
                                        AND holiday."on" < local.first_day + span.units) END"""  # noqa: S608

# pricing.all_in. A cap that is null does not count: least() looks only at what is there.
TOTAL = """asked.care
               + (asked.care * seller.tax_bp + 5000) / 10000
               + coalesce(least((asked.care * coalesce(own.owner_bp, seller.owner_bp) + 5000) / 10000,
                                CASE WHEN own.id IS NULL THEN seller.cap
                                     WHEN own.cap_currency = seller.currency THEN own.cap_amount END), 0)"""


def _all_in(care: str) -> str:
    """Return a subquery of its own, because each further table of the outer join costs time to plan."""
    return f"""
       SELECT {TOTAL} AS total
         FROM (SELECT {care} AS care OFFSET 0) asked
         LEFT JOIN payments_commissionrule own ON own.service_id = service.id
       OFFSET 0"""  # noqa: S608


ANY_TIME = f"""
SELECT service.id AS service_id, price.total AS price, 1 AS units,
       NULL::timestamptz AS starts_at, NULL::timestamptz AS ends_at
  FROM providers_service service
 CROSS JOIN LATERAL ({_all_in(UNIT)}) price
 WHERE service.branch_id = near.branch_id
   AND {{serves}}
   {{affordable}}
"""  # noqa: S608 - fixed text; every value is a parameter

# "OFFSET 0" keeps a subquery's columns computed once instead of copied into every place that names them.
AT_TIME = f"""
SELECT service.id AS service_id, price.total AS price, span.units, span.starts_at, span.ends_at
  FROM providers_branch home
 CROSS JOIN LATERAL (
       SELECT %(start)s AT TIME ZONE home.time_zone AS wall,
              (%(start)s AT TIME ZONE home.time_zone)::date AS first_day,
              {{last_day}} AS last_day
       OFFSET 0) local
  JOIN providers_service service ON service.branch_id = home.id
 CROSS JOIN LATERAL (
       SELECT CASE WHEN service.is_overnight
                   THEN (local.first_day + service.check_in) AT TIME ZONE home.time_zone
                   ELSE %(start)s END AS starts_at,
              CASE WHEN service.is_overnight
                   THEN (local.last_day + service.check_out) AT TIME ZONE home.time_zone
                   ELSE %(start)s + make_interval(mins => service.duration_minutes) END AS ends_at,
              CASE WHEN service.is_overnight THEN local.last_day - local.first_day ELSE 1 END AS units
       OFFSET 0) span
 CROSS JOIN LATERAL (
       SELECT span.starts_at - make_interval(mins => service.buffer_before_minutes)
              -- A local time near a change of clocks may name two instants, or none: keep the resource for both.
              - CASE WHEN service.is_overnight
                      AND (span.starts_at - interval '1 hour') AT TIME ZONE home.time_zone
                          <> local.first_day + service.check_in - interval '1 hour'
                     THEN interval '1 hour' ELSE interval '0' END AS since,
              greatest(span.starts_at, span.ends_at) + make_interval(mins => service.buffer_after_minutes) AS until
       OFFSET 0) taken
 CROSS JOIN LATERAL ({_all_in(CARE)}) price
 WHERE home.id = near.branch_id
   AND {{serves}}
   AND span.units >= 1
   AND (service.is_overnight
        OR (service.duration_minutes >= %(minutes)s
            AND mod(extract(hour FROM local.wall)::int * 60 + extract(minute FROM local.wall)::int,
                    service.slot_step_minutes) = 0
            AND extract(second FROM local.wall) = 0))
   AND span.starts_at > %(now)s
   AND span.starts_at >= %(now)s + make_interval(mins => service.minimum_notice_minutes)
   AND local.first_day <= (%(now)s AT TIME ZONE home.time_zone)::date + service.maximum_advance_days
   {{affordable}}
   AND NOT EXISTS (
       SELECT FROM unnest(service.needs) need
        WHERE NOT EXISTS (
              SELECT FROM providers_resource resource
                JOIN providers_openhours hours ON hours.resource_id = resource.id
               WHERE resource.branch_id = near.branch_id
                 AND resource.is_active
                 AND resource.kind = need
                 AND (resource.skills = '{{{{}}}}' OR service.kind = ANY(resource.skills))
                 AND hours.open @> tstzrange(taken.since, taken.until)
                 AND NOT EXISTS (
                     SELECT FROM bookings_allocation allocation
                      WHERE allocation.resource_id = resource.id
                        AND allocation.is_live
                        AND upper(allocation.during) > taken.since
                        AND lower(allocation.during) < taken.until)))
"""  # noqa: S608 - fixed text; every value is a parameter


def statement(query: Query, *, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return the SQL of a search and its parameters. Values are always parameters; only fixed fragments are joined."""
    point = Mercator.from_degrees(query.latitude, query.longitude)
    radius_m = min(query.radius_km, MAX_RADIUS_KM) * 1000
    parameters: dict[str, Any] = {
        "x": point.x,
        "y": point.y,
        "cosh": math.cosh(point.y / MERCATOR_RADIUS_M),
        "radius": radius_m,
        "pets": query.pet_count,
        "now": now,
        "cap": CAP,
        "limit": query.page_size,
        "offset": (query.page - 1) * query.page_size,
    }
    offer = (ANY_TIME if query.start is None else AT_TIME).format(
        serves=_serves(query, parameters),
        affordable=_affordable(query, parameters),
        last_day=_last_day(query, parameters),
    )
    by_rating = query.ordering == "rating"
    sql = STATEMENT.format(
        meters=METERS,
        circles=_circles(query, point, radius_m, parameters),
        mask=_mask(query, parameters),
        seller=SELLER,
        offer=offer,
        of_provider=_of_provider(query, parameters),
        order_by=ORDER_BY[query.ordering],
        order_from="JOIN providers_provider provider ON provider.id = place.provider_id" if by_rating else "",
        selected=", ".join(f"{source} AS {name}" for name, source in SELECTED.items()),
    )
    return sql, parameters


def _circles(query: Query, point: Mercator, radius_m: float, parameters: dict[str, Any]) -> str:
    """Return the condition that the index answers: within the circle on the map that covers the circle on the ground.

    A length on the map is one on the ground over the cosine of its latitude; the widest such factor within the radius
    makes the circle cover. Near the date line a second circle stands for the other edge of the map.
    """
    angle = radius_m / EARTH_RADIUS_M
    latitude = min(abs(math.radians(query.latitude)) + angle, math.radians(89.0))
    parameters["reach"] = MERCATOR_RADIUS_M * angle / math.cos(latitude)
    half = math.pi * MERCATOR_RADIUS_M
    centers = [point.x]
    if point.x + parameters["reach"] > half:
        centers.append(point.x - 2 * half)
    if point.x - parameters["reach"] < -half:
        centers.append(point.x + 2 * half)
    conditions = []
    for number, x in enumerate(centers):
        parameters[f"x{number}"] = x
        conditions.append(f"branch.mercator <@ circle(point(%(x{number})s, %(y)s), %(reach)s)")
    return " OR ".join(conditions)


def _mask(query: Query, parameters: dict[str, Any]) -> str:
    """Return the conditions on the branch's bits: a first sieve, which the covering index answers too."""
    kinds = [query.service_kind] if query.service_kind else None
    if not query.species:
        parameters["mask"] = offer_mask(kinds)
        return "AND branch.offer_mask & %(mask)s <> 0" if kinds else ""
    conditions = []
    for number, species in enumerate(query.species):
        parameters[f"mask{number}"] = offer_mask(kinds, [species])
        conditions.append(f"AND branch.offer_mask & %(mask{number})s <> 0")
    return " ".join(conditions)


def _serves(query: Query, parameters: dict[str, Any]) -> str:
    conditions = ["service.is_active", "service.max_pets >= %(pets)s"]
    if query.service_kind:
        parameters["kind"] = query.service_kind
        conditions.append("service.kind = %(kind)s")
    if query.species:
        parameters["species"] = list(query.species)
        conditions.append("service.species @> %(species)s::varchar[]")
    if query.weight_kg is not None:
        parameters["weight"] = query.weight_kg
        conditions.append("(service.max_weight_kg IS NULL OR service.max_weight_kg >= %(weight)s)")
    return " AND ".join(conditions)


def _affordable(query: Query, parameters: dict[str, Any]) -> str:
    if query.price_max is None:
        return ""
    parameters["price_max"] = query.price_max
    return "AND price.total <= %(price_max)s"


def _last_day(query: Query, parameters: dict[str, Any]) -> str:
    """Return the local date of check-out, and note how many minutes are asked of a timed service."""
    if query.start is None:
        return ""
    parameters["start"] = query.start
    if query.end is None:
        parameters["minutes"] = 0
        return "(%(start)s AT TIME ZONE home.time_zone)::date + 1"
    parameters["end"] = query.end
    parameters["minutes"] = math.ceil((query.end - query.start) / timedelta(minutes=1))
    return "(%(end)s AT TIME ZONE home.time_zone)::date"


def _of_provider(query: Query, parameters: dict[str, Any]) -> str:
    if query.rating_min is None:
        return ""
    parameters["rating_min"] = query.rating_min
    return """JOIN providers_provider rated
               ON rated.id = near.provider_id
              AND rated.review_count > 0
              AND rated.rating_sum >= %(rating_min)s * rated.review_count"""
