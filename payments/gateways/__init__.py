"""The outside services that move money, behind one protocol.

Callers use ``registry.get(name)``; nothing here knows an invoice.
"""

from payments.gateways.base import (
    PAYMENT_KEY,
    BadSignature,
    Charge,
    ChargeRequest,
    DisputeSeen,
    Event,
    GatewayDeclined,
    GatewayError,
    GatewayPaused,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    Movement,
    PaymentGateway,
    RefundSeen,
    Transfer,
)

__all__ = [
    "PAYMENT_KEY",
    "BadSignature",
    "Charge",
    "ChargeRequest",
    "DisputeSeen",
    "Event",
    "GatewayDeclined",
    "GatewayError",
    "GatewayPaused",
    "GatewayRefused",
    "GatewayUnavailable",
    "GatewayUnknown",
    "Movement",
    "PaymentGateway",
    "RefundSeen",
    "Transfer",
]
