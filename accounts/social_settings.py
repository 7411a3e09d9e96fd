"""Which accounts elsewhere people may sign in with, from the environment. Read by the settings: no Django here."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PROVIDERS = "allauth.socialaccount.providers"


@dataclass
class Social:
    """``apps`` to install, allauth's ``providers``, and the ``origins`` that a sign-in form may lead to."""

    apps: list[str] = field(default_factory=list)
    providers: dict[str, Any] = field(default_factory=dict)
    origins: list[str] = field(default_factory=list)


def chosen(env: Any) -> Social:
    """Return what has keys. A provider is believed about an address only where it says that it has proven it."""
    found = Social()
    if client_id := env.str("SOCIAL_GOOGLE_CLIENT_ID", default=""):
        app = {"client_id": client_id, "secret": env.str("SOCIAL_GOOGLE_SECRET", default="")}
        found.apps.append(f"{PROVIDERS}.google")
        found.providers["google"] = {
            "APPS": [app],
            "SCOPE": ["profile", "email"],
            "OAUTH_PKCE_ENABLED": True,
            "EMAIL_AUTHENTICATION": True,
        }
        found.origins.append("https://accounts.google.com")
    if client_id := env.str("SOCIAL_FACEBOOK_CLIENT_ID", default=""):
        app = {"client_id": client_id, "secret": env.str("SOCIAL_FACEBOOK_SECRET", default="")}
        found.apps.append(f"{PROVIDERS}.facebook")
        # Facebook does not say whether it has proven an address, so nothing is linked by one.
        found.providers["facebook"] = {"APPS": [app], "METHOD": "oauth2", "VERIFIED_EMAIL": False}
        found.origins.append("https://www.facebook.com")
    if client_id := env.str("SOCIAL_APPLE_CLIENT_ID", default=""):
        app = {
            "client_id": client_id,
            "secret": env.str("SOCIAL_APPLE_KEY_ID", default=""),
            "key": env.str("SOCIAL_APPLE_TEAM_ID", default=""),
            "settings": {"certificate_key": env.str("SOCIAL_APPLE_PRIVATE_KEY", default="", multiline=True)},
        }
        found.apps.append(f"{PROVIDERS}.apple")
        found.providers["apple"] = {"APPS": [app], "EMAIL_AUTHENTICATION": True}
        found.origins.append("https://appleid.apple.com")
    if server := env.str("SOCIAL_OIDC_URL", default=""):
        _add_oidc(found, env, server)
    return found


def _add_oidc(found: Social, env: Any, server: str) -> None:
    found.providers["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": env.str("SOCIAL_OIDC_ID", default="sso"),
                "name": env.str("SOCIAL_OIDC_NAME", default="Single sign-on"),
                "client_id": env.str("SOCIAL_OIDC_CLIENT_ID", default=""),
                "secret": env.str("SOCIAL_OIDC_SECRET", default=""),
                "settings": {
                    "server_url": server,
                    "email_authentication": env.bool("SOCIAL_OIDC_LINK_BY_EMAIL", default=True),
                },
            }
        ],
    }
    parts = urlsplit(server)
    found.origins += [f"{parts.scheme}://{parts.netloc}", *env.list("SOCIAL_OIDC_ORIGINS", default=[])]


NAMES = {"google": "Google", "facebook": "Facebook", "apple": "Apple"}


def names(providers: dict[str, Any]) -> list[str]:
    """Return what people call the providers that are set up."""
    found = [NAMES[key] for key in providers if key in NAMES]
    return found + [app["name"] for app in providers.get("openid_connect", {}).get("APPS", [])]
