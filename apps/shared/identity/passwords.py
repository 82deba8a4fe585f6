"""Checking passwords, and the rules for new ones."""

from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from rest_framework import serializers

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["refuse_weak"]


def refuse_weak(password: str, *, user: "User | None" = None, field: str = "password") -> None:
    """Let a new password pass that keeps the rules of `AUTH_PASSWORD_VALIDATORS`.

    Passwords that exist are never held to them: who has one keeps it.

    Args:
        user: Whose it is to be, saved or not; it must not resemble their name or address.
        field: The input that held it, which the error names.

    Raises:
        rest_framework.serializers.ValidationError: `{field: [a sentence for each broken rule]}`.
    """
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise serializers.ValidationError({field: weak.messages}) from None
