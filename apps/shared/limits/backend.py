"""The guard before every password check of Django: the API's login, the admin's, and any other.

It is the first of the `AUTHENTICATION_BACKENDS` and lets nobody in; it only raises. The windows of
`apps.shared.limits.passwords` come first, then the lock of django-axes, which counts failures of an
account from an address in the database and so holds while Redis is down. Both are keyed by what
was typed, so an account that does not exist is locked as one that does.
"""

from datetime import timedelta
from math import ceil
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off, get_credentials
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.db.models import Max
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from apps.shared.api.addresses import block_of
from apps.shared.limits.passwords import TooManyAttempts, count_password_attempt, remember_success

__all__ = ["FailureHandler", "PasswordGuard", "block_of_request", "typed_name", "unlock_account"]

_NAME_LENGTH = 255  # of the column of django-axes


class PasswordGuard(AxesStandaloneBackend):  # type: ignore[misc]
    """Raises `TooManyAttempts` when no password may be checked; otherwise it has no opinion."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not settings.RATE_LIMITS or request is None or username is None:
            return
        count_password_attempt(account=username, address=request.META.get("REMOTE_ADDR"))
        credentials = get_credentials(username=username)
        if not AxesProxyHandler.is_allowed(request, credentials):
            raise TooManyAttempts(wait=_seconds_left(request, credentials))


class FailureHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Keeps of a failure the name, the address and the time: nothing else that was sent."""

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        if request is None:
            return
        bare = HttpRequest()
        bare.META = {"REMOTE_ADDR": request.META.get("REMOTE_ADDR", "")}
        AxesProxyHandler.update_request(bare)
        super().user_login_failed(sender, credentials, bare, **kwargs)


def typed_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The account that an attempt is counted for; no account has a name as long as the cut."""
    return str((credentials or {}).get("username", ""))[:_NAME_LENGTH]


def unlock_account(account: str) -> int:
    """Forget the failures of an account at all addresses; return how many there were rows of."""
    _, rows = AccessAttempt.objects.filter(username=account[:_NAME_LENGTH]).delete()
    return int(rows.get(AccessAttempt._meta.label, 0))


def block_of_request(request: HttpRequest) -> str | None:
    """The address that an attempt is counted for."""
    return block_of(request.META.get("REMOTE_ADDR", "")) or None


def _seconds_left(request: HttpRequest, credentials: dict[str, Any]) -> int:
    attempts = AxesDatabaseHandler().get_user_attempts(request, credentials)
    now = timezone.now()
    times = [each.aggregate(last=Max("attempt_time"))["last"] for each in attempts]
    last = max((time for time in times if time is not None), default=now)
    left = last + (get_cool_off(request) or timedelta()) - now
    return max(1, ceil(left.total_seconds()))


@receiver(user_logged_in)
def _remember_address(request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    if request is not None:
        remember_success(account=user.get_username(), address=request.META.get("REMOTE_ADDR"))
