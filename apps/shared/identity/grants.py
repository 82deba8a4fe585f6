"""What a caller showed to be let in, as `request.auth` holds it; `None` is a session cookie."""

from dataclasses import dataclass
from uuid import UUID

__all__ = ["AccessGrant", "ApiTokenGrant"]


@dataclass(frozen=True, kw_only=True)
class AccessGrant:
    """A signed access token: all that its user may do.

    Attributes:
        family: The login that it descends from.
        token_id: Its `jti`.
    """

    family: UUID
    token_id: str


@dataclass(frozen=True, kw_only=True)
class ApiTokenGrant:
    """An API token of a script: what its user may do, within its scopes.

    Attributes:
        scopes: `jobs:read`, `jobs:write`, ….
    """

    token_id: int
    scopes: frozenset[str]
