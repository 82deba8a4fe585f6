"""Checking passwords, and the rules for new ones.

`check_password` is the only way in which a password meets a stored hash. It never writes, unlike
Django's function of this name, and it makes every refusal last as long as any other: see
`docs/explanation/passwords.md`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.hashers import BasePasswordHasher, get_hasher, identify_hasher
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connections
from rest_framework import serializers

from apps.contracts.passwords import normalise

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["Verdict", "check_password", "refuse_weak"]

_ANYTHING: Final = "a password of nobody"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check found; true if the password fits.

    Attributes:
        fits: It is the password of the hash.
        outdated: It fits, and a new hash of it would have another form.
    """

    fits: bool
    outdated: bool = False

    def __bool__(self) -> bool:
        return self.fits


def check_password(
    password: str,
    encoded: str | None,
    *,
    refusal_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Tell whether a password fits a stored hash, in any form that the bridge reads.

    A hash that is unusable, damaged or too costly fits nothing. Whatever the reason of a refusal,
    it costs at least one run of the hasher that writes new hashes, and it comes a whole number of
    `refusal_seconds` after the call. So call it outside of transactions.

    Args:
        encoded: What is stored; `None` when nobody may log in, which is refused like the rest.
        refusal_seconds: By default `PASSWORD_REFUSAL_SECONDS`; 0 refuses at once.
        clock: Seconds since some moment, never going back.
        sleep: Waits this number of seconds.
    """
    started = clock()
    verdict = _verify(password, normalise(encoded) if encoded is not None else None)
    if not verdict:
        unit = settings.PASSWORD_REFUSAL_SECONDS if refusal_seconds is None else refusal_seconds
        if unit > 0:
            _let_go_of_databases()
            sleep(unit - (clock() - started) % unit)
    return verdict


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


def _let_go_of_databases() -> None:
    """Close the connections of this thread: those who guess must not use up what others need."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _verify(password: str, encoded: str | None) -> Verdict:
    preferred = get_hasher()
    hasher = _hasher_of(encoded)
    if encoded is not None and hasher is not None and _is_text(password):
        if hasher.verify(password, encoded):
            outdated = hasher is not preferred or preferred.must_update(encoded)
            return Verdict(fits=True, outdated=outdated)
        if hasher is preferred:
            preferred.harden_runtime(password, encoded)
            return Verdict(fits=False)
    preferred.encode(_ANYTHING, preferred.salt())
    return Verdict(fits=False)


def _hasher_of(encoded: str | None) -> BasePasswordHasher | None:
    try:
        return identify_hasher(encoded) if encoded is not None else None
    except ValueError:
        return None


def _is_text(password: str) -> bool:
    """Whether it can be written in UTF-8; half a surrogate pair, as JSON can hold it, cannot."""
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return True
