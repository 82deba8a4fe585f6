"""Users, logins and API tokens."""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from apps.node import tokens
from apps.node.models import User
from apps.node.refusals import Refusal

__all__ = [
    "LoginRefused",
    "LoginResult",
    "create_api_token",
    "create_user",
    "log_in",
    "revoke_api_token",
]

_MOST_ATTEMPTS: Final = 5
_LOCK: Final = timedelta(minutes=30)
_HASH_ALPHABET: Final = string.ascii_letters + string.digits


class LoginRefused(Refusal):
    """Wrong name or password, or an account that may not log in now."""

    status = 401


@dataclass(frozen=True, kw_only=True)
class LoginResult:
    user: User
    token: str


def create_user(
    *,
    username: str,
    password: str,
    full_name: str = "",
    mail: str = "",
    role: User.Role = User.Role.USER,
) -> User:
    """Make a user who can log in at once.

    Raises:
        django.db.IntegrityError: The name is taken.
    """
    return User.objects.create(
        username=username,
        full_name=full_name or username,
        mail=mail,
        password=make_password(password),
        role=role,
    )


def log_in(*, username: str, password: str, now: datetime) -> LoginResult:
    """Check a password and issue a session token.

    Five wrong passwords lock the account for thirty minutes, also against the right one. The count
    is made under a lock on the user's row, so that parallel guesses are counted each.

    Raises:
        LoginRefused: In the words of Cloudgene.
    """
    refusal: str | None
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=username).first()
        if user is None:
            make_password(password)  # an unknown name takes as long as a wrong password
            refusal = "Login Failed! Wrong Username or Password."
        else:
            refusal = _refusal(user, password, now)
            user.save(
                update_fields=["login_attempts", "locked_until", "last_login_at"],
            )
    if user is None or refusal is not None:
        raise LoginRefused(refusal or "")
    return LoginResult(user=user, token=tokens.issue_session_token(user, now=now))


def create_api_token(*, user: User, life: timedelta, now: datetime) -> str:
    """Issue the user's one API token; the one before stops working at once."""
    user.api_hash = "".join(secrets.choice(_HASH_ALPHABET) for _ in range(30))
    user.api_token_expires_at = now + life
    user.save(update_fields=["api_hash", "api_token_expires_at"])
    return tokens.issue_api_token(user, api_hash=user.api_hash, now=now, life=life)


def revoke_api_token(*, user: User) -> None:
    """Make the user's API token worthless; without one, nothing happens."""
    user.api_hash = ""
    user.api_token_expires_at = None
    user.save(update_fields=["api_hash", "api_token_expires_at"])


def _refusal(user: User, password: str, now: datetime) -> str | None:
    """Why this login fails, `None` if it does not; sets the counters on `user`."""
    if user.locked_until is not None:
        if now < user.locked_until:
            return "The user account is locked for 30 minutes. Too many failed logins."
        user.login_attempts, user.locked_until = 0, None
    if not check_password(password, user.password):
        user.login_attempts += 1
        if user.login_attempts >= _MOST_ATTEMPTS:
            user.locked_until = now + _LOCK
        return "Login Failed! Wrong Username or Password."
    if not user.active:
        return "Login Failed! User account is not activated."
    user.login_attempts, user.last_login_at = 0, now
    return None
