"""Who a username and password belong to: the authentication backend of every login.

It stands before Django's `ModelBackend`, which then is never asked about a password. That one
stays for what else it does: it knows the permissions, and it is the name in all sessions, those of
the legacy process and ours, so that each side goes on with the other's.
"""

from typing import Any, Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, update_session_auth_hash
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from apps.shared.identity.passwords import check_password
from federated_imputation.monolith.accounts.operations.api_tokens import keep_api_tokens

__all__ = ["PasswordBackend"]

_LEGACY_BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


class PasswordBackend(BaseBackend):
    """Lets an active user in whose password fits, in whatever form it is stored.

    An unknown name, a deactivated user, a hash that nothing fits and a wrong password are one and
    the same refusal, also by the clock.

    A login leaves the stored hash as it is. With `PASSWORD_UPGRADE` it rewrites an older form,
    unless the row has got another hash in the meantime. The user's other logins end then; the
    session of the request goes on.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user; `None` when no username and password are given.

        Raises:
            PermissionDenied: They are nobody's; no backend after this one is asked.
        """
        if username is None or password is None:
            return None
        user = User.objects.filter(username=username, is_active=True).first()
        verdict = check_password(password, user.password if user else None)
        if user is None or not verdict:
            raise PermissionDenied
        if settings.PASSWORD_UPGRADE and verdict.outdated:
            user = _upgrade(user, password)
            if request is not None and getattr(request, "user", None) == user:
                update_session_auth_hash(request, user)  # asked again, while logged in
        return user


@receiver(user_logged_in)
def _name_the_legacy_backend(request: HttpRequest, **_: Any) -> None:
    """Let the session name a backend that the legacy process has too: it reads the same sessions.

    `ModelBackend` finds the user of a session, and leaves out a deactivated one.
    """
    request.session[BACKEND_SESSION_KEY] = _LEGACY_BACKEND


def _upgrade(user: User, password: str) -> User:
    """Write the hash anew where nobody else has; the user as stored then.

    API tokens stay, as the password does. Other logins end, as Django's sessions do by themselves.

    Raises:
        PermissionDenied: Another password was set meanwhile, or the user may not log in any more.
    """
    checked, user.password = user.password, make_password(password)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, password=checked).update(password=user.password):
            keep_api_tokens(user=user, former_hash=checked)
            return user
    # Another login may have done the same, or somebody changed the password.
    stored = User.objects.filter(pk=user.pk, is_active=True).first()
    if stored is None or not check_password(password, stored.password):
        raise PermissionDenied
    return stored
