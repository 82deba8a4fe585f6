"""Who calls the monolith in the walk: a name for each kind of caller, and sets of them.

The owner's rows are what everybody asks for. A right at a service is held by a viewer, whose role
gives nothing, so that what the caller may do comes from the right alone. Scripts are API tokens of
the owner, but for one of an administrator.
"""

from typing import Final

from apps.shared.identity.permissions import SCOPES

__all__ = [
    "ADMINS",
    "BAD_TOKENS",
    "CALLERS",
    "CLERKS",
    "CLERK_OF_ADMIN",
    "CLERK_OF_SERVICES",
    "CLERK_WHO_VIEWS",
    "ELSEWHERE",
    "EVERYBODY",
    "GROUP",
    "OWNER",
    "OWNERS_SCRIPTS",
    "PEOPLE",
    "RIGHTS",
    "ROLES",
    "SAMPLE",
    "SCRIPT_OF_ADMIN",
    "SERVICE_ADMINS",
    "names",
    "scripts",
]


def names(*parts: str | frozenset[str]) -> frozenset[str]:
    """One set of all the names and sets."""
    return frozenset().union(*({part} if isinstance(part, str) else part for part in parts))


_KINDS: Final = ("view", "submit_jobs", "view_jobs", "manage_jobs", "admin")
ROLES: Final = names("researcher", "service_user", "viewer", "service_admin", "admin")
RIGHTS: Final = {kind: f"{kind} here" for kind in _KINDS}
ELSEWHERE: Final = {kind: f"{kind} elsewhere" for kind in _KINDS}
GROUP: Final = {kind: f"{kind} here by group" for kind in _KINDS}
# Rights that are not in force: each would let its holder administer the service.
NOT_IN_FORCE: Final = names(
    "admin here, expired",
    "admin here, switched off",
    "admin here by group, expired",
    "admin here by group, switched off",
    "admin here by group of elsewhere",
    "admin here by membership, expired",
)

# Staff with every permission that Django knows: what else they may is up to their role.
CLERK_OF_ADMIN: Final = names("clerk, admin by role")
CLERK_OF_SERVICES: Final = names("clerk, service_admin by role")
CLERK_WHO_VIEWS: Final = names("clerk, viewer by role")
CLERKS: Final = names(CLERK_OF_ADMIN, CLERK_OF_SERVICES, CLERK_WHO_VIEWS)

OWNER: Final = names("owner", "owner by token")
ADMINS: Final = names("admin", "admin by token", "superuser", CLERK_OF_ADMIN)
SERVICE_ADMINS: Final = names("service_admin", CLERK_OF_SERVICES)
PEOPLE: Final = names(
    OWNER,
    ROLES,
    ADMINS,
    "researcher by token",
    "staff",
    "without a profile",
    "with a role switched off",
    CLERKS,
    "barred here",
    frozenset(RIGHTS.values()),
    frozenset(ELSEWHERE.values()),
    frozenset(GROUP.values()),
    NOT_IN_FORCE,
)

# By name, the scopes of the owner's scripts: none, each alone, all.
OWNERS_SCRIPTS: Final = {
    "script without scopes": (),
    **{f"script {scope}": (scope,) for scope in SCOPES},
    "script with all scopes": SCOPES,
}
SCRIPT_OF_ADMIN: Final = names("script of admin with all scopes")


def scripts(scope: str) -> frozenset[str]:
    """The owner's scripts that have this scope."""
    return frozenset(name for name, scopes in OWNERS_SCRIPTS.items() if scope in scopes)


# Turned away wherever a view asks who calls, also where it lets everybody in.
BAD_TOKENS: Final = names(
    "garbage token",
    "token of deactivated",
    "token of a login that ended",
    "token that was revoked",
    "refresh token",
    "script, expired",
    "script, revoked",
    "script of deactivated",
)
CALLERS: Final = names(
    "anonymous", "deactivated", PEOPLE, frozenset(OWNERS_SCRIPTS), SCRIPT_OF_ADMIN
)
EVERYBODY: Final = names(CALLERS, BAD_TOKENS)
SAMPLE: Final = names("anonymous", "owner", "superuser", "script with all scopes", "garbage token")
