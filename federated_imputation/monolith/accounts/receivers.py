"""What Django and django-axes tell about logins: those at the admin's pages, and locks.

The API's login audits itself; the pages below `/admin/` log in with Django's own views.
"""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from apps.shared.api.origin import origin_of
from federated_imputation.monolith.accounts.operations.login import (
    record_lockout,
    record_login,
    record_login_failure,
    record_logout,
)

__all__: list[str] = []


@receiver(user_logged_in)
def _on_login(request: HttpRequest | None, user: User, **_: Any) -> None:
    if request is not None and _is_at_admin(request):
        record_login(user_id=user.pk, origin=origin_of(request), now=timezone.now())


@receiver(user_logged_out)
def _on_logout(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if request is not None and user is not None and _is_at_admin(request):
        record_logout(user_id=user.pk, origin=origin_of(request), now=timezone.now())


@receiver(user_login_failed)
def _on_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is not None and _is_at_admin(request):
        record_login_failure(
            username=str(credentials.get("username", "")),
            origin=origin_of(request),
            now=timezone.now(),
        )


@receiver(user_locked_out)
def _on_lock(request: HttpRequest, username: str, **_: Any) -> None:
    record_lockout(username=username, origin=origin_of(request), now=timezone.now())


def _is_at_admin(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index"))
