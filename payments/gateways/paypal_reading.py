"""Reading what PayPal says of orders, disputes and movements, and writing amounts as it wants them."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from payments.gateways.base import (
    PAYMENT_KEY,
    Charge,
    ChargeState,
    DisputeState,
    GatewayRefused,
    MovementKind,
    RefundSeen,
    RefundState,
)
from petplace.money import exponent

VOIDED = "void:"  # before an order's custom_id: nobody shall complete it
# https://developer.paypal.com/reference/currency-codes/ with the decimals that PayPal wants.
DECIMALS = {
    **dict.fromkeys(
        (
            "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "MXN", "MYR", "NOK", "NZD",
            "PHP", "PLN", "SEK", "SGD", "THB", "USD",
        ),
        2,
    ),
    # JPY has none; of HUF and TWD PayPal takes whole units only.
    **dict.fromkeys(("HUF", "JPY", "TWD"), 0),
}  # fmt: skip

TAKEN = {"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"}
_REFUND_STATES: dict[str, RefundState] = {"COMPLETED": "succeeded", "FAILED": "failed", "CANCELLED": "failed"}


def charge_of(order: dict[str, Any]) -> Charge:
    """Read an order as a charge, in minor units; what is disputed of it is another question."""
    unit = order["purchase_units"][0]
    captures, authorizations = parts(order, "captures"), parts(order, "authorizations")
    taken = sum(amount_of(one["amount"]) for one in captures if one["status"] in TAKEN)
    state = _state(order, captures, authorizations)
    amount = amount_of(unit["amount"])
    custom_id = str(unit.get("custom_id") or "")
    links = {link["rel"]: link["href"] for link in order.get("links", [])}
    return Charge(
        ref=order["id"],
        state=state,
        amount=amount,
        currency=unit["amount"]["currency_code"],
        authorized=amount if state in ("authorized", "captured") else 0,
        captured=taken,
        redirect_url=(links.get("payer-action") or links.get("approve") or "")
        if state in ("requires_payment", "requires_action")
        else "",
        metadata={PAYMENT_KEY: custom_id.removeprefix(VOIDED)} if custom_id else {},
        refunds=tuple(refund_seen(one) for one in parts(order, "refunds")),
    )


def money(amount: int, currency: str) -> dict[str, str]:
    """Write minor units as PayPal wants them. Raises GatewayRefused for what it cannot take."""
    currency = currency.upper()
    if currency not in DECIMALS:
        raise GatewayRefused(f"PayPal does not take {currency}.", code="currency_not_supported")
    value = Decimal(amount).scaleb(-exponent(currency))
    wanted = Decimal(1).scaleb(-DECIMALS[currency])
    if value != value.quantize(wanted):
        raise GatewayRefused(f"PayPal takes whole {currency} only.", code="amount_not_possible")
    return {"currency_code": currency, "value": str(value.quantize(wanted))}


def amount_of(found: Mapping[str, str]) -> int:
    """Read an amount of PayPal's into minor units, exactly."""
    return int(Decimal(found["value"]).scaleb(exponent(found["currency_code"])))


def parts(order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return an order's ``authorizations``, ``captures`` or ``refunds``, oldest first."""
    return list(order["purchase_units"][0].get("payments", {}).get(kind, []))


def part(order: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the last of ``parts``; there must be one."""
    return parts(order, kind)[-1]


def is_marked(order: dict[str, Any]) -> bool:
    """Whether we have let go of an order that nobody had approved."""
    return str(order["purchase_units"][0].get("custom_id") or "").startswith(VOIDED)


def _state(order: dict[str, Any], captures: list[dict[str, Any]], authorizations: list[dict[str, Any]]) -> ChargeState:
    if any(one["status"] in TAKEN for one in captures):
        return "captured"
    if captures:
        return "processing" if captures[-1]["status"] == "PENDING" else "failed"
    if authorizations:
        states: dict[str, ChargeState] = {
            "CREATED": "authorized",
            "PENDING": "processing",
            "VOIDED": "canceled",
            "EXPIRED": "canceled",
        }
        return states.get(authorizations[-1]["status"], "failed")
    if order["status"] == "VOIDED" or is_marked(order):
        return "canceled"
    return "requires_payment"


def refund_seen(row: dict[str, Any]) -> RefundSeen:
    return RefundSeen(
        ref=row["id"], amount=amount_of(row["amount"]), state=_REFUND_STATES.get(row["status"], "pending")
    )


def dispute_state(row: dict[str, Any]) -> DisputeState:
    if row["status"] == "RESOLVED":
        outcome = row.get("dispute_outcome", {}).get("outcome_code", "")
        return "lost" if outcome in ("RESOLVED_BUYER_FAVOUR", "ACCEPTED") else "won"
    if row.get("dispute_life_cycle_stage") == "INQUIRY":
        return "inquiry"
    return "open" if row["status"] in ("OPEN", "WAITING_FOR_SELLER_RESPONSE") else "submitted"


def dispute_fee(row: dict[str, Any]) -> int:
    """Add up what the dispute itself cost us, in the dispute's currency."""
    currency = row["dispute_amount"]["currency_code"]
    moves = row.get("fund_movements") or row.get("money_movements") or []
    return sum(
        abs(amount_of(move["amount"]))
        for move in moves
        if (move.get("party") or move.get("affected_party")) == "SELLER"
        and move.get("reason") in ("DISPUTE_FEE", "CHARGEBACK_FEE")
        and move["amount"]["currency_code"] == currency
    )


def movement_kind(code: str) -> MovementKind | None:
    """Source: https://developer.paypal.com/docs/transaction-search/transaction-event-codes/"""
    exact: dict[str, MovementKind] = {
        "T0001": "transfer",
        "T1107": "refund",
        "T1106": "dispute",
        "T1201": "dispute",
        "T1202": "dispute_reversal",
        "T1207": "dispute_reversal",
        "T0106": "fee",
    }
    return exact.get(code) or ("charge" if code.startswith("T00") else None)


def payment_uid(about: dict[str, Any]) -> str:
    """Return our payment's uid from an order, a capture or an authorization; '' where PayPal does not carry it."""
    unit = next(iter(about.get("purchase_units") or []), about)
    disputed: dict[str, Any] = next(iter(about.get("disputed_transactions") or []), {})
    found = str(unit.get("custom_id") or disputed.get("custom") or "").removeprefix(VOIDED)
    return found if re.fullmatch(r"[0-9a-f-]{32,36}", found) else ""  # a refund's mark is a key of ours
