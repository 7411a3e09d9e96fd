"""What may be wrong with a pet and its papers, whichever door they came through. ``today`` is the reader's date."""

import re
from datetime import date, timedelta

from pets.models import CareRecord, Pet, Vaccination

OLDEST = timedelta(days=366 * 120)  # tortoises
LONGEST_VALIDITY = timedelta(days=366 * 10)
_MICROCHIP = re.compile(r"[0-9A-Za-z]{9,23}")  # ISO 11784 has 15 digits, older ones 9 or 10 signs

Errors = dict[str, list[str]]


def problems_of_pet(pet: Pet, today: date) -> Errors:
    """Return what is wrong with a pet beyond its single fields, by field."""
    errors: Errors = {}
    if pet.birth_date is not None and not today - OLDEST <= pet.birth_date <= today:
        errors["birth_date"] = ["Enter a day in the past."]
    if pet.microchip and not _MICROCHIP.fullmatch(pet.microchip):
        errors["microchip"] = ["A microchip number has 9 to 23 digits or letters, without spaces."]
    return errors


def problems_of_vaccination(vaccination: Vaccination, today: date) -> Errors:
    errors: Errors = {}
    given, until = vaccination.given_on, vaccination.valid_until
    if not today - OLDEST <= given <= today:
        errors["given_on"] = ["Enter the day on which it was given, today at the latest."]
    if until < given:
        errors["valid_until"] = ["It cannot end before it was given."]
    elif until > given + LONGEST_VALIDITY:
        errors["valid_until"] = ["No vaccination lasts longer than ten years. Check the year."]
    return errors


def problems_of_record(record: CareRecord, today: date) -> Errors:
    if not today - OLDEST <= record.on <= today:
        return {"on": ["Enter a day in the past, today at the latest."]}
    return {}
