"""What search engines may know of a provider, in the words of schema.org. Nothing that the page does not show."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.urls import reverse

from providers.choices import ProviderKind
from providers.models import Provider, Service

TYPES = {ProviderKind.CLINIC: "VeterinaryCare", ProviderKind.SHOP: "PetStore"}


def structured_data(provider: Provider, services: Iterable[Service]) -> dict[str, Any]:
    """Return a LocalBusiness: name, city and, where there are published reviews, their mean. Never the address.

    https://schema.org/LocalBusiness, https://schema.org/AggregateRating
    """
    site = settings.SITE_URL.rstrip("/")
    branches = {service.branch_id: service.branch for service in services}
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": TYPES.get(ProviderKind(provider.kind), "LocalBusiness"),
        "@id": f"{site}{reverse('provider_detail', args=[provider.slug])}",
        "url": f"{site}{reverse('provider_detail', args=[provider.slug])}",
        "name": provider.name,
    }
    if provider.bio:
        data["description"] = provider.bio
    if provider.photo_url:
        data["image"] = f"{site}{provider.photo_url}"
    if places := sorted({(one.city, str(one.country)) for one in branches.values() if one.city}):
        city, country = places[0]
        data["address"] = {"@type": "PostalAddress", "addressLocality": city, "addressCountry": country}
    if provider.review_count:
        data["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": provider.rating,
            "reviewCount": provider.review_count,
            "bestRating": 5,
            "worstRating": 1,
        }
    return data
