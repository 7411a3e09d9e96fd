"""URLs of the servers, however one spells them."""

import pytest

from petplace.embedded import paths


@pytest.mark.parametrize(
    ("url", "cache", "celery"),
    [
        ("unix:///run/v.sock", "unix:///run/v.sock?db=1", "redis+socket:///run/v.sock?virtual_host=0"),
        ("unix:///run/v.sock?db=4", "unix:///run/v.sock?db=5", "redis+socket:///run/v.sock?virtual_host=4"),
        ("redis://host:6379", "redis://host:6379/1", "redis://host:6379/0"),
        ("redis://host:6379/", "redis://host:6379/1", "redis://host:6379/0"),
        ("rediss://u:p@host:6380/3?x=1", "rediss://u:p@host:6380/3?x=1", "rediss://u:p@host:6380/3?x=1"),
    ],
)
def test_one_redis_url_is_spelled_for_cache_and_celery(url: str, cache: str, celery: str) -> None:
    assert paths.derive_redis_urls(url) == paths.RedisUrls(cache=cache, celery=celery)


@pytest.mark.parametrize(
    ("url", "origins"),
    [
        ("https://{s}.tiles.example/{z}/{x}/{y}.png", ["https://*.tiles.example"]),
        ("https://tiles.example:8443/{z}.png", ["https://tiles.example:8443"]),
        ("/tiles/{z}/{x}/{y}.png", []),
        ("", []),
    ],
)
def test_tile_url_gives_its_origin(url: str, origins: list[str]) -> None:
    assert paths.origins_of(url) == origins
