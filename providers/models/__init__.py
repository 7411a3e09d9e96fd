from providers.models.hours import DateOverride, OpenHours, TimeOff, WeeklyHours
from providers.models.place import Branch, Certification, PublicHoliday, Resource
from providers.models.provider import (
    Membership,
    ProfileEdit,
    Provider,
    ProviderEvent,
    ProviderPhoto,
    VerificationDocument,
)
from providers.models.service import AddOn, Service

__all__ = [
    "AddOn",
    "Branch",
    "Certification",
    "DateOverride",
    "Membership",
    "OpenHours",
    "ProfileEdit",
    "Provider",
    "ProviderEvent",
    "ProviderPhoto",
    "PublicHoliday",
    "Resource",
    "Service",
    "TimeOff",
    "VerificationDocument",
    "WeeklyHours",
]
