"""Who did what to accounts, approvals, money, roles, reviews and documents. Rows are written once and never changed."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class AuditAction(models.TextChoices):
    """What is recorded. The column has no choices of its own: a new action needs no migration."""

    APPROVE_PROVIDER = "approve_provider", "Provider approved"
    REJECT_PROVIDER = "reject_provider", "Provider rejected"
    SUSPEND_PROVIDER = "suspend_provider", "Provider suspended"
    REINSTATE_PROVIDER = "reinstate_provider", "Provider reinstated"
    SUBMIT_PROVIDER = "submit_provider", "Application handed in"
    VIEW_DOCUMENT = "view_document", "Document opened"
    CHECK_DOCUMENT = "check_document", "Document checked"
    REVIEW_EDIT = "review_edit", "Profile edit looked at"
    ROLE_CHANGE = "role_change", "Role changed"
    REFUND = "refund", "Refund"
    PAYOUT_RETRY = "payout_retry", "Payout sent again"
    PAYOUT_APPROVE = "payout_approve", "Large payout approved"
    PAYOUT_HOLD = "payout_hold", "Payout kept back"
    PAYOUT_RELEASE = "payout_release", "Payout let go"
    DISPUTE_ANSWER = "dispute_answer", "Dispute answered"
    CALL_RETRY = "call_retry", "Gateway call made again"
    RESOLVE_DIFFERENCE = "resolve_difference", "Difference closed"
    PROMO_CHANGE = "promo_change", "Promo code changed"
    COMMISSION_CHANGE = "commission_change", "Commission changed"
    RESOLVE_COMPLAINT = "resolve_complaint", "Complaint decided"
    RESOLVE_REPORT = "resolve_report", "Report closed"
    VIEW_TALK = "view_talk", "Reported conversation opened"
    RESOLVE_INCIDENT = "resolve_incident", "Incident closed"
    CHANGE_INCIDENT = "change_incident", "Incident changed"
    MODERATE_REVIEW = "moderate_review", "Review moderated"
    BLOCK_USER = "block_user", "Account blocked"
    UNBLOCK_USER = "unblock_user", "Account let in again"
    CLOSE_ACCOUNT = "close_account", "Account closed"
    EXPORT = "export", "Data exported"
    DOWNLOAD_EXPORT = "download_export", "Export downloaded"
    MFA_ENABLED = "mfa_enabled", "Second factor set up"
    MFA_DISABLED = "mfa_disabled", "Second factor removed"
    MFA_CODES = "mfa_codes", "Recovery codes made"
    PASSWORD_CHANGE = "password_change", "Password changed"
    SOCIAL_LINK = "social_link", "Outside account linked"
    SOCIAL_UNLINK = "social_unlink", "Outside account unlinked"


class AuditEntry(models.Model):
    """One act. ``actor`` is null for the system; the labels are what stood there then, for when the row behind is gone.

    PostgreSQL refuses every change (migration 0003). Labels, ``before`` and ``after`` therefore never hold what a
    person may ask us to forget: people who are not staff are named by their uid alone.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor_uid = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=200)
    action = models.CharField(max_length=40)
    target_kind = models.CharField(max_length=60)
    target_uid = models.CharField(max_length=64)
    target_label = models.CharField(max_length=200)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    reason = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["-at"], name="audit_by_time"),
            models.Index(fields=["target_uid", "-at"], name="audit_by_target"),
            models.Index(fields=["actor", "-at"], name="audit_by_actor"),
            models.Index(fields=["action", "-at"], name="audit_by_action"),
            models.Index(fields=["request_id"], name="audit_by_request", condition=~models.Q(request_id="")),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.target_label}"
