"""Who sends the request: a JWT of a live family."""

from rest_framework_simplejwt.authentication import JWTAuthentication


class TokenAuthentication(JWTAuthentication):
    pass
