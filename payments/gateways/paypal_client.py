"""Asking PayPal: one address, a token that all threads share, a connection for each, and what answers mean.

Source: https://developer.paypal.com/api/rest/responses/.
"""

import json
import logging
import re
import threading
import time
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import requests

from payments.gateways.base import GatewayDeclined, GatewayRefused, GatewayUnavailable, GatewayUnknown

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
_DECLINES = {
    "INSTRUMENT_DECLINED",
    "TRANSACTION_REFUSED",
    "PAYER_CANNOT_PAY",
    "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "COMPLIANCE_VIOLATION",
    "AUTH_CAPTURE_NOT_ENABLED",
    "CARD_EXPIRED",
}


class PayPalClient:
    """Every method returns an answer's object, or raises what ``payments.gateways.base`` names."""

    def __init__(self, *, client_id: str, client_secret: str, api_base: str, timeout: float) -> None:
        self.credentials = (client_id, client_secret)
        self.api_base = api_base
        self.timeout = (min(CONNECT_SECONDS, timeout), timeout)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._token = ""
        self._token_ends = 0.0
        self._token_failed_at = 0.0

    def get(self, path: str, params: dict[str, str] | None = None) -> dict[str, Any]:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any, *, key: str) -> dict[str, Any]:
        return self.call("POST", path, json_body=body, key=key)

    def call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json_body: Any = None,
        raw: bytes | None = None,
        files: Any = None,
        key: str = "",
    ) -> dict[str, Any]:
        headers = {"Prefer": "return=representation"}
        if key:
            headers["PayPal-Request-Id"] = str(uuid5(NAMESPACE_URL, key))  # some doors take 38 characters only
        if files is None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(json_body).encode() if raw is None and json_body is not None else raw
        for is_last in (False, True):
            headers["Authorization"] = f"Bearer {self._bearer(is_fresh=is_last)}"
            answer = self._send(method, path, params=params, data=raw, files=files, headers=headers)
            if answer.status_code != 401:
                break
        return _read(answer)

    def _bearer(self, *, is_fresh: bool) -> str:
        """Return the access token. Who waited for somebody else's try takes its failure for an answer: a dozen in a
        row would each wait for a silent PayPal in turn.
        """
        came = time.monotonic()
        with self._lock:
            if not is_fresh and time.monotonic() < self._token_ends:
                return self._token
            if self._token_failed_at >= came:
                raise GatewayUnavailable("PayPal gives no access token at the moment.")
            try:
                asked = self._send(
                    "POST", "/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=self.credentials
                )
                found = _read(asked)
            except GatewayUnavailable:
                self._token_failed_at = time.monotonic()
                raise
            self._token = str(found["access_token"])
            self._token_ends = time.monotonic() + float(found["expires_in"]) - 60
            return self._token

    def _send(self, method: str, path: str, **what: Any) -> requests.Response:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        try:
            return session.request(
                method, f"{self.api_base}{path}", timeout=self.timeout, allow_redirects=False, **what
            )
        except requests.RequestException as error:
            raise GatewayUnavailable(f"PayPal: {type(error).__name__}") from error


def checked(ref: str) -> str:
    """Return ``ref`` if it can be one of PayPal's: it becomes part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ref):
        raise GatewayUnknown("This is no reference of PayPal's.", code="resource_not_found")
    return ref


def _read(answer: requests.Response) -> dict[str, Any]:
    """Return an answer's object, or raise what it means."""
    status = answer.status_code
    if status == 429 or status >= 500:
        raise GatewayUnavailable(f"PayPal answered {status}")
    try:
        found = answer.json() if answer.content else {}
    except ValueError as error:
        raise GatewayUnavailable(f"PayPal answered {status} with what is no JSON") from error
    if 200 <= status < 300:
        return dict(found)
    details: dict[str, Any] = next(iter(found.get("details") or []), {})
    issue = str(details.get("issue") or found.get("name") or found.get("error") or "gateway_refused")
    message = str(details.get("description") or found.get("message") or "PayPal refused this.")
    if status in (401, 403):
        logger.error("PayPal does not accept our keys: %s", issue)
        raise GatewayRefused(message, code="gateway_key")
    if issue in _DECLINES:
        raise GatewayDeclined(issue.lower(), message)
    if status == 409 or issue in ("PREVIOUS_REQUEST_IN_PROGRESS", "DUPLICATE_INVOICE_ID_IN_PROGRESS"):
        raise GatewayUnavailable("PayPal is still busy with this key")
    raise (GatewayUnknown if status == 404 else GatewayRefused)(message, code=issue.lower())
