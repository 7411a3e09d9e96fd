"""Settings > Notifications: which kinds reach the signed-in person where, and when not."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from messaging import kinds
from messaging.choices import OUTSIDE, Channel
from messaging.contact_forms import ContactForm
from messaging.domain import preferences
from messaging.domain.preferences import Switch
from messaging.kinds import GROUPS, Kind
from petplace.errors import DomainError
from petplace.http import SignedInRequest

NAMES = {Channel.EMAIL: "E-mail", Channel.PUSH: "Push", Channel.SMS: "Text"}
COLUMNS = (Channel.EMAIL, Channel.PUSH, Channel.SMS)


@dataclass(frozen=True)
class Cell:
    """One switch of the table; ``is_fixed``: it is as it is."""

    name: str
    channel: str
    is_on: bool
    is_fixed: bool
    is_there: bool

    @property
    def label(self) -> str:
        return NAMES[Channel(self.channel)]


@dataclass(frozen=True)
class Row:
    kind: Kind
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    name: str
    label: str
    rows: list[Row]

    @property
    def summary(self) -> str:
        """Say in a few words where the group's kinds go: ``E-mail, push; 2 of 5 by text``."""
        said = []
        for column, channel in enumerate(COLUMNS):
            cells = [row.cells[column] for row in self.rows if row.cells[column].is_there]
            on = sum(cell.is_on for cell in cells)
            if on:
                said.append(NAMES[channel] if on == len(cells) else f"{NAMES[channel]} {on} of {len(cells)}")
        return " \N{MIDDLE DOT} ".join(["In the app", *said])


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: SignedInRequest) -> HttpResponse:
    """Show all switches; save the quiet hours and the switch for texts."""
    contact = preferences.contact_of(request.user)
    form = ContactForm(request.POST or None, instance=contact, has_phone=bool(request.user.phone))
    if request.method == "POST" and form.is_valid():
        try:
            preferences.change(request.user, **form.changes)
        except DomainError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, "Saved.")
            return redirect("messaging:preferences")
    context = {
        "form": form,
        "contact": contact,
        "groups": groups_of(request.user),
        "columns": [(channel, NAMES[channel]) for channel in COLUMNS],
        "opened": request.GET.get("open", ""),
    }
    return render(request, "messaging/preferences.html", context)


@login_required
@require_POST
def switch(request: SignedInRequest) -> HttpResponse:
    """Save the switches of one group, or all of its switches on one channel at once."""
    group = request.POST.get("group", "")
    shown = [kind for kind in preferences.kinds_for(request.user) if kind.group == group]
    on, everything = set(request.POST.getlist("on")), request.POST.get("all", "")
    switches = []
    for kind in shown:
        for channel in OUTSIDE:
            name = f"{kind.name}:{channel}"
            if not kind.can_switch(channel) or (everything and not everything.startswith(f"{channel}:")):
                continue
            switches.append(Switch(kind.name, channel, everything.endswith(":on") if everything else name in on))
    preferences.choose(request.user, switches)
    messages.success(request, f"Saved: {GROUPS.get(group, 'nothing')}.")
    return redirect(f"{request.path.removesuffix('switch/')}?open={group if group in GROUPS else ''}#switches")


def groups_of(user: User) -> list[Group]:
    """Return the table of the person's switches."""
    chosen = preferences.chosen_by(user)
    found = kinds.by_group(preferences.kinds_for(user))
    return [
        Group(
            members[0].group,
            label,
            [Row(kind, [_cell(kind, channel, chosen) for channel in COLUMNS]) for kind in members],
        )
        for label, members in found.items()
    ]


def _cell(kind: Kind, channel: Channel, chosen: dict[tuple[str, str], bool]) -> Cell:
    can_switch = kind.can_switch(channel)
    is_on = kind.is_on(channel, chosen.get((kind.name, channel)))
    return Cell(f"{kind.name}:{channel}", channel, is_on, not can_switch, can_switch or is_on)
