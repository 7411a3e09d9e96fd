"""The one family of errors that the domain raises and every door knows how to show."""

from collections.abc import Mapping, Sequence
from typing import Any


class DomainError(Exception):
    """A rule or the state of things forbids the act now.

    ``code`` is stable and snake_case (clients branch on it); ``message`` is a full sentence for people that says what
    to do; ``fields`` maps a field's name to messages where the error belongs to an input; ``extra`` is added to the
    problem document of the API (alternatives, deadlines).
    """

    code = "not_possible"
    status = 409
    message = "This is not possible now."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        fields: Mapping[str, Sequence[str]] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or self.message
        self.code = code or self.code
        self.fields = {name: list(messages) for name, messages in (fields or {}).items()}
        self.extra = dict(extra or {})
        super().__init__(self.message)


class InvalidInput(DomainError):
    """The input itself is wrong: 400 with the fields named."""

    code = "invalid"
    status = 400
    message = "Please correct the marked fields."


class InvalidTransition(DomainError):
    """The object's state does not allow the act (any more)."""

    code = "invalid_transition"
    message = "This is no longer possible in the present state."


class NotAllowed(DomainError):
    """The actor may see the object but may not do this."""

    code = "not_allowed"
    status = 403
    message = "You are not allowed to do this."
