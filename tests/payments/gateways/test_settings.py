"""Settings that cannot work stop the start, in words that say what to do."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from payments.gateways.settings import chosen, csp_sources
from petplace.embedded.paths import BASE_DIR

STRIPE = {"STRIPE_SECRET_KEY": "sk", "STRIPE_PUBLISHABLE_KEY": "pk", "STRIPE_WEBHOOK_SECRET": "whsec"}
PAYPAL = {"PAYPAL_CLIENT_ID": "id", "PAYPAL_CLIENT_SECRET": "secret", "PAYPAL_WEBHOOK_ID": "WH"}
NO_STRIPE, NO_PAYPAL = dict.fromkeys(STRIPE, ""), dict.fromkeys(PAYPAL, "")


def choose(*asked, stripe=NO_STRIPE, paypal=NO_PAYPAL, is_production=False, is_sandbox_meant=False):
    return chosen(asked, stripe=stripe, paypal=paypal, is_production=is_production, is_sandbox_meant=is_sandbox_meant)


@pytest.mark.parametrize(
    ("asked", "more", "expected"),
    [
        ((), {}, ["sandbox"]),
        ((), {"is_production": True}, []),
        ((), {"stripe": STRIPE}, ["stripe"]),
        ((), {"stripe": STRIPE, "paypal": PAYPAL, "is_production": True}, ["stripe", "paypal"]),
        (("paypal", "Stripe "), {"stripe": STRIPE, "paypal": PAYPAL}, ["paypal", "stripe"]),
        (("sandbox", "stripe"), {"stripe": STRIPE}, ["sandbox", "stripe"]),
        (("sandbox",), {"is_production": True, "is_sandbox_meant": True}, ["sandbox"]),
    ],
)
def test_gateways_follow_from_what_is_set(asked, more, expected) -> None:
    assert choose(*asked, **more) == expected


@pytest.mark.parametrize(
    ("asked", "more", "words"),
    [
        (("stripe",), {}, "The gateway stripe needs STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK_SECRET"),
        ((), {"stripe": {**NO_STRIPE, "STRIPE_SECRET_KEY": "sk"}}, "needs STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK"),
        (("paypal",), {"paypal": {**PAYPAL, "PAYPAL_WEBHOOK_ID": ""}}, "The gateway paypal needs PAYPAL_WEBHOOK_ID"),
        (("sandbox",), {"is_production": True}, "play money"),
        (("bank",), {}, "does not know bank"),
        (("sandbox", "sandbox"), {}, "twice"),
    ],
)
def test_impossible_choice_says_what_to_do(asked, more, words) -> None:
    with pytest.raises(ImproperlyConfigured, match=words):
        choose(*asked, **more)


def test_policy_is_wider_for_stripe_alone() -> None:
    allowed = {"js_origin": ["https://js.stripe.com"], "api_origin": ["https://api.stripe.com"]}

    assert csp_sources(["sandbox", "paypal"], **allowed) == {}
    assert csp_sources(["stripe"], **allowed) == {
        "script-src": ["https://js.stripe.com"],
        "frame-src": ["https://js.stripe.com", "https://hooks.stripe.com"],
        "connect-src": ["https://api.stripe.com"],
        "form-action": ["https://connect.stripe.com"],
    }


def test_start_stops_with_one_clear_sentence() -> None:
    environment = {**os.environ, "PAYMENT_GATEWAYS": "stripe", "STRIPE_SECRET_KEY": ""}

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    missing = "STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY, STRIPE_WEBHOOK_SECRET"
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert last.endswith(f"The gateway stripe needs {missing} in the environment.")


def test_policy_of_a_site_with_stripe_names_its_script() -> None:
    script = (
        "import django, json; django.setup();"
        "from django.conf import settings;"
        "print(json.dumps(settings.CONTENT_SECURITY_POLICY['DIRECTIVES'], default=list))"
    )
    environment = {**os.environ, **STRIPE, "DJANGO_SETTINGS_MODULE": "petplace.settings"}

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )

    assert "https://js.stripe.com" in done.stdout
    assert "https://hooks.stripe.com" in done.stdout
