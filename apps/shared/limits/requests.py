"""Which windows a request is counted in. The figures are those of the legacy system.

It counted each address and path, which stops a script that runs wild, and also thirty people of
one institute who open the same page behind one address. So what a person holds (a session, a
token) is part of the key, and the address as a whole gets ten times as much: whoever makes up
cookies gains no more than that. Attempts at a password are counted by address alone.
"""

from dataclasses import dataclass
from typing import Final

from apps.shared.limits.windows import Window

__all__ = ["Counted", "windows_of"]

_UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGINS: Final = ("/api/auth/", "/admin/login/")
# They check no password: what they take cannot be guessed, and every open page asks for it.
_NO_PASSWORD: Final = frozenset(
    {"/api/auth/logout/", "/api/auth/token/refresh/", "/api/auth/token/revoke/"}
)
_ATTEMPTS: Final = Window(name="attempts", amount=10, seconds=60)
_API: Final = Window(name="api", amount=100, seconds=60)
_PAGES: Final = Window(name="pages", amount=200, seconds=60)
_API_OF_ADDRESS: Final = Window(name="api-address", amount=1000, seconds=60)
_PAGES_OF_ADDRESS: Final = Window(name="pages-address", amount=2000, seconds=60)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One attempt in one window, for whom the key names."""

    window: Window
    key: tuple[str, ...]


def windows_of(*, method: str, path: str, client: str, credential: str) -> tuple[Counted, ...]:
    """The windows that must all have room for the request.

    Args:
        client: Address of the client, as `addresses.block_of` gives it.
        credential: What it shows to be let in, right or wrong; '' for nothing.
    """
    if path in _UNCOUNTED:
        return ()
    if method not in _SAFE and path.startswith(_LOGINS) and path not in _NO_PASSWORD:
        return (Counted(window=_ATTEMPTS, key=(client, path)),)
    person, address = (
        (_API, _API_OF_ADDRESS) if path.startswith("/api/") else (_PAGES, _PAGES_OF_ADDRESS)
    )
    return (
        Counted(window=person, key=(client, credential, path)),
        Counted(window=address, key=(client, path)),
    )
