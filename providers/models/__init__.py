from providers.models.hours import DateOverride, OpenHours, TimeOff, WeeklyHours
from providers.models.place import Branch, Certification, PublicHoliday, Resource
from providers.models.provider import Membership, Provider, ProviderEvent, ProviderPhoto, VerificationDocument
from providers.models.service import AddOn, Service

__all__ = [
    "AddOn",
    "Branch",
    "Certification",
    "DateOverride",
    "Membership",
    "OpenHours",
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
