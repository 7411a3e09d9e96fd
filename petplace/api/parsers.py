"""JSON in, strictly: valid UTF-8, no NUL, no NaN, sane depth."""

from rest_framework import parsers


class StrictJSONParser(parsers.JSONParser):
    strict = True
