"""How often a password may be guessed: counted before each check, so that a burst cannot pass.

Beside these windows stands the lock of django-axes on an account *and* an address after five
failures (`apps.shared.limits.backend`). The windows hold for what it cannot see: guesses that run
at the same time, one address that tries many accounts, many addresses that try one account.

The window of an account would let a stranger keep its owner out. So an address from which the
account was logged in to before does not pass through it.
"""

from typing import Final

from django.conf import settings

from apps.shared.api.addresses import block_of
from apps.shared.limits.windows import Limiter, LimitExceeded, Window, limiter_of_this_deployment

__all__ = [
    "PER_ACCOUNT",
    "PER_ADDRESS",
    "TooManyAttempts",
    "count_password_attempt",
    "forget_password_attempts",
    "remember_success",
]

PER_ADDRESS: Final = Window(name="password-address", amount=100, seconds=3600)
PER_ACCOUNT: Final = Window(name="password-account", amount=10, seconds=900)
_KNOWN: Final = "known-address"
_KNOWN_SECONDS: Final = 90 * 24 * 3600


class TooManyAttempts(Exception):
    """No password is checked now, right or wrong.

    Attributes:
        wait: Whole seconds, 1 or more, until one may be again.
    """

    def __init__(self, *, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


def count_password_attempt(
    *, account: str, address: str | None, limiter: Limiter | None = None
) -> None:
    """Count one attempt, about to be made, to tell the password of an account.

    Args:
        account: The name that was typed, whether an account has it or not.
        address: Where it comes from, if that is known.

    Raises:
        TooManyAttempts: From this address or for this account there were too many.
    """
    if not settings.RATE_LIMITS:
        return
    limiter = limiter or limiter_of_this_deployment()
    block = block_of(address or "")
    try:
        if block:
            limiter.count(PER_ADDRESS, block)
        if not (block and limiter.remembers(_KNOWN, account, block)):
            limiter.count(PER_ACCOUNT, account)
    except LimitExceeded as error:
        raise TooManyAttempts(wait=error.wait) from error


def forget_password_attempts(*, account: str, limiter: Limiter | None = None) -> bool:
    """Let an account be tried again from everywhere; `False` while Redis does not answer."""
    return (limiter or limiter_of_this_deployment()).forget(PER_ACCOUNT, account)


def remember_success(*, account: str, address: str | None, limiter: Limiter | None = None) -> None:
    """Know from now on that the account's owner uses this address."""
    block = block_of(address or "")
    if settings.RATE_LIMITS and block:
        limiter = limiter or limiter_of_this_deployment()
        limiter.remember(_KNOWN, account, block, seconds=_KNOWN_SECONDS)
