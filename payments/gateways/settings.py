"""Which gateways the environment asks for. Read by the settings, so nothing of Django is used but the error."""

from collections.abc import Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured

KNOWN = ("stripe", "paypal", "sandbox")


def chosen(
    asked: Sequence[str],
    *,
    stripe: Mapping[str, str],
    paypal: Mapping[str, str],
    is_production: bool,
    is_sandbox_meant: bool = False,
) -> list[str]:
    """Return the gateways to offer, the default first.

    Nothing asked for: those that have keys, else the sandbox outside production, else none (people pay at the visit).
    Raises ImproperlyConfigured with what to do about it.
    """
    keys = {"stripe": stripe, "paypal": paypal}
    names = [name.strip().lower() for name in asked if name.strip()]
    if unknown := [name for name in names if name not in KNOWN]:
        raise ImproperlyConfigured(f"PAYMENT_GATEWAYS knows {', '.join(KNOWN)}; it does not know {', '.join(unknown)}.")
    if len(set(names)) != len(names):
        raise ImproperlyConfigured("PAYMENT_GATEWAYS names a gateway twice.")
    if not names:
        names = [name for name, wanted in keys.items() if any(wanted.values())]
        names = names or ([] if is_production else ["sandbox"])
    for name in names:
        if missing := [variable for variable, value in keys.get(name, {}).items() if not value]:
            raise ImproperlyConfigured(f"The gateway {name} needs {', '.join(missing)} in the environment.")
    if "sandbox" in names and is_production and not is_sandbox_meant:
        raise ImproperlyConfigured(
            "The sandbox gateway takes play money, so production does not start with it."
            " Take it out of PAYMENT_GATEWAYS, or set SANDBOX_IN_PRODUCTION=true on a site that is only for show."
        )
    return names


def csp_sources(names: Sequence[str], *, js_origin: Sequence[str], api_origin: Sequence[str]) -> dict[str, list[str]]:
    """Return what the content security policy must allow on top: Stripe's script, its frames, its API, and the pages
    of its own to which a form of ours leads (the set-up of payouts).

    Source: https://docs.stripe.com/security/guide#content-security-policy
    """
    if "stripe" not in names:
        return {}
    return {
        "script-src": list(js_origin),
        "frame-src": [*js_origin, "https://hooks.stripe.com"],
        "connect-src": list(api_origin),
        "form-action": ["https://connect.stripe.com"],
    }
