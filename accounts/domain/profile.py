"""What people may change about themselves."""

from accounts.models import User
from petplace.errors import InvalidInput

FIELDS = ("full_name", "phone", "locale", "time_zone", "home_place", "home_latitude", "home_longitude")


def update(user: User, **changes: object) -> User:
    """Set the named fields of the profile (checked by the caller). A home is a point or nothing, never half a point."""
    unknown = set(changes) - set(FIELDS)
    assert not unknown, unknown
    for name, value in changes.items():
        setattr(user, name, value)
    if (user.home_latitude is None) != (user.home_longitude is None):
        message = "Give latitude and longitude together."
        raise InvalidInput(fields={"home_latitude": [message], "home_longitude": [message]})
    if changes:
        user.save(update_fields=list(changes))
    return user
