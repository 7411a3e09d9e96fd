"""The kinds of notifications as a table for people: `docs/notifications.md` holds it, and a test that it is true."""

from messaging import kinds
from messaging.choices import Channel
from messaging.kinds import GROUPS, Kind

BEGIN, END = "<!-- kinds: begin -->", "<!-- kinds: end -->"
HEAD = ("Kind", "What it says", "In the app", "E-mail", "Push", "Text", "Urgency", "Texts")
ORDER = (Channel.IN_APP, Channel.EMAIL, Channel.PUSH, Channel.SMS)


def table() -> str:
    """Return the kinds by group as Markdown."""
    parts = []
    for group, label in GROUPS.items():
        found = [kind for kind in kinds.all() if kind.group == group]
        if found:
            rows = [HEAD, ("---",) * len(HEAD), *(_row(kind) for kind in sorted(found, key=lambda one: one.name))]
            parts.append("\n".join([f"### {label}", "", *(f"| {' | '.join(row)} |" for row in rows)]))
    return "\n\n".join(parts)


def put_into(document: str) -> str:
    """Return ``document`` with the table between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def _row(kind: Kind) -> tuple[str, ...]:
    return (
        f"`{kind.name}`",
        kind.label,
        *(_switch(kind, channel) for channel in ORDER),
        kind.urgency.value,
        f"`{kind.template}`" if kind.template else "generic",
    )


def _switch(kind: Kind, channel: Channel) -> str:
    if channel in kind.channels:
        return "on" if kind.can_switch(channel) else "always"
    return "off" if channel in kind.offered else "-"
