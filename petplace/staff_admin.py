"""What the administration's screens have in common: actions that a right of ``petplace.roles`` opens."""

from typing import Any

from petplace.roles import Right, may


class ByRight:
    """Lets an action name its right: ``@admin.action(permissions=[Right.REFUNDS])``."""


def _asks(right: Right) -> Any:
    def has_permission(self: Any, request: Any) -> bool:
        return may(request.user, right)

    return has_permission


for _right in Right:
    setattr(ByRight, f"has_{_right}_permission", _asks(_right))
