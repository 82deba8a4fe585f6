"""Who may do what: five roles, and rights at single services. Plain decisions, no database.

A role gives capabilities on the whole platform. A right at a service (its user's own, or shared
by a group) only ever adds to them, at that one service, until it expires.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from federated_imputation.monolith.accounts.models import ServicePermission, UserRole

__all__ = ["ROLE_CAPABILITIES", "SYSTEM", "Capability", "Rights", "capabilities_of"]

Kind = ServicePermission.Kind


class Capability(StrEnum):
    """One thing that a role may or may not do."""

    SUBMIT_JOBS = "submit_jobs"
    VIEW_ALL_JOBS = "view_all_jobs"
    MANAGE_SERVICES = "manage_services"
    MANAGE_SERVICE_RIGHTS = "manage_service_rights"
    MANAGE_USERS = "manage_users"
    MANAGE_ROLES = "manage_roles"
    READ_AUDIT_LOG = "read_audit_log"


ROLE_CAPABILITIES: Final[Mapping[str, frozenset[Capability]]] = {
    UserRole.Name.ADMIN: frozenset(Capability),
    UserRole.Name.SERVICE_ADMIN: frozenset(
        {Capability.SUBMIT_JOBS, Capability.VIEW_ALL_JOBS, Capability.MANAGE_SERVICE_RIGHTS}
    ),
    UserRole.Name.RESEARCHER: frozenset({Capability.SUBMIT_JOBS}),
    UserRole.Name.SERVICE_USER: frozenset({Capability.SUBMIT_JOBS}),
    UserRole.Name.VIEWER: frozenset(),
}
# The legacy system made no profile for a new user, and let such users work.
_WITHOUT_A_ROLE: Final = frozenset({Capability.SUBMIT_JOBS})

_IMPLIED: Final[Mapping[str, frozenset[str]]] = {
    Kind.VIEW: frozenset({Kind.VIEW}),
    Kind.SUBMIT_JOBS: frozenset({Kind.VIEW, Kind.SUBMIT_JOBS}),
    Kind.VIEW_JOBS: frozenset({Kind.VIEW, Kind.VIEW_JOBS}),
    Kind.MANAGE_JOBS: frozenset({Kind.VIEW, Kind.VIEW_JOBS, Kind.MANAGE_JOBS}),
    Kind.ADMIN: frozenset(Kind),
}


def capabilities_of(
    *, role: str | None, role_is_active: bool = True, is_superuser: bool = False
) -> frozenset[Capability]:
    """What a role gives.

    A superuser has all. A role that is switched off, or that nobody knows, gives nothing.

    Args:
        role: Its name; `None` for a user who has none.
    """
    if is_superuser:
        return frozenset(Capability)
    if role is None:
        return _WITHOUT_A_ROLE
    return ROLE_CAPABILITIES.get(role, frozenset()) if role_is_active else frozenset()


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What one caller may do now.

    Attributes:
        user_id: `None` for an anonymous caller, who has no rights at all, and for `SYSTEM`.
        is_superuser: Whether Django's flag is set; only such a caller may hand it on.
        capabilities: On the whole platform.
        granted: By service id, the kinds of `ServicePermission` that are in force there.
    """

    user_id: int | None = None
    is_superuser: bool = False
    capabilities: frozenset[Capability] = frozenset()
    granted: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def may(self, capability: Capability) -> bool:
        return capability in self.capabilities

    def may_at(self, service_id: int, kind: str) -> bool:
        """Whether a right at this service is, or implies, `kind`."""
        held = self.granted.get(service_id, frozenset())
        return any(kind in _IMPLIED.get(other, frozenset()) for other in held)

    def may_submit_to(self, service_id: int) -> bool:
        """Whether the role, or a right there, lets the user send jobs to this service."""
        return self.may(Capability.SUBMIT_JOBS) or self.may_at(service_id, Kind.SUBMIT_JOBS)

    def services_with(self, kind: str) -> frozenset[int]:
        """Ids of the services at which `may_at` holds for `kind`."""
        return frozenset(service for service in self.granted if self.may_at(service, kind))


# Whoever works at the server's shell: may do all, and is no user.
SYSTEM: Final = Rights(is_superuser=True, capabilities=frozenset(Capability))
