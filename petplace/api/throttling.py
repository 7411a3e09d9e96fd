"""How often one may ask."""

from rest_framework import throttling


class AnonThrottle(throttling.AnonRateThrottle):
    pass


class UserThrottle(throttling.UserRateThrottle):
    pass
