"""Signing keys, logins by token, revocations and API tokens."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

__all__ = ["ApiToken", "RevokedToken", "SigningKey", "TokenFamily"]


class SigningKey(models.Model):
    """A key pair for tokens: `next` is published, `current` signs, `previous` still verifies."""

    class State(models.TextChoices):
        NEXT = "next", "Next"
        CURRENT = "current", "Current"
        PREVIOUS = "previous", "Previous"

    kid = models.CharField(max_length=43, unique=True)
    state = models.CharField(max_length=10, choices=State)
    encrypted = models.TextField(editable=False)  # the private key, PKCS 8 PEM
    public_jwk = models.JSONField(editable=False)
    created_at = models.DateTimeField(editable=False)
    activated_at = models.DateTimeField(null=True, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=Q(state__in=["next", "current"]),
                name="signingkey_one_next_one_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kid} ({self.state})"


class TokenFamily(models.Model):
    """One login by token, and every token that descends from it; it ends as a whole.

    `current_jti` names the only refresh token that may be used; any other is reuse. `session_key`
    is the session that the same login started, '' when there is none: they end together.
    """

    class Ending(models.TextChoices):
        LOGOUT = "logout", "Logged out"
        REPLACED = "replaced", "Logged in again in the same session"
        REUSED = "reused", "A refresh token was used twice"
        REVOKED = "revoked", "A refresh token was handed in"
        PASSWORD = "password", "The password was changed"
        DEACTIVATED = "deactivated", "The user was deactivated"  # written by a trigger

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="token_families",
        db_constraint=False,
    )
    current_jti = models.CharField(max_length=32)
    session_key = models.CharField(max_length=40, blank=True, default="", editable=False)
    created_at = models.DateTimeField(editable=False)
    refreshed_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    revoked_because = models.CharField(max_length=20, blank=True, default="", choices=Ending)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_because="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_because="")),
                name="tokenfamily_revoked_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"Login {self.pk} of user {self.user_id}"


class RevokedToken(models.Model):
    """A single access token that ended before its time; forgotten when that has come."""

    jti = models.CharField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.jti


class ApiToken(models.Model):
    """A token for scripts: only its SHA-256 is kept, so it can be shown once and never again."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="api_tokens",
        db_constraint=False,
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)  # by which its owner knows it again
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    user_digest = models.CharField(max_length=64)  # as a token's claim: dies with the password
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} of user {self.user_id}"
