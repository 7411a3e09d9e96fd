"""Keeping the columns that the search reads true: which branch is found, and for what."""

from django.db import transaction

from providers.choices import offer_mask
from providers.models import Branch, Provider, Service


def lock(provider_id: int) -> Provider:
    """Lock the provider's row to the end of the transaction and return it fresh.

    Whoever changes a state, a branch, a service or the team takes this lock first, then the others' rows: so two
    changes at once neither meet crosswise nor write an older picture over a newer one.
    """
    return Provider.objects.select_for_update(no_key=True).get(pk=provider_id)


@transaction.atomic
def refresh(provider: Provider) -> None:
    """Recompute ``offer_mask`` and ``is_listed`` of every branch of ``provider``.

    A branch is listed while its provider is approved, it is active itself and sells something. Called by everything
    that changes a state, a branch or a service, in the same transaction.
    """
    state = lock(provider.pk)
    branches = list(Branch.objects.filter(provider=provider).order_by("pk"))
    masks = dict.fromkeys((branch.pk for branch in branches), 0)
    for branch_id, kind, species in Service.objects.filter(branch__in=branches, is_active=True).values_list(
        "branch_id", "kind", "species"
    ):
        masks[branch_id] |= offer_mask([kind], list(species)) if species else 0
    for branch in branches:
        mask = masks[branch.pk]
        is_listed = state.is_public and branch.is_active and mask != 0
        if (branch.offer_mask, branch.is_listed) != (mask, is_listed):
            Branch.objects.filter(pk=branch.pk).update(offer_mask=mask, is_listed=is_listed)
