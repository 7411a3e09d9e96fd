"""How the API describes itself."""

from drf_spectacular import openapi


class AutoSchema(openapi.AutoSchema):
    pass
