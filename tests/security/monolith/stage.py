"""What the mutator needs to know of the monolith."""

from pathlib import Path
from typing import Any, Final

from tests.security.monolith.scene import build_scene
from tests.security.monolith.table import ROWS

__all__ = ["MUTATED", "ROWS", "TESTS", "build_scene", "settings"]

MUTATED: Final = (
    r"federated_imputation\.monolith\.(\w+\.){1,2}(api|queries|operations|permissions|access"
    r"|authentication|backend|rights|admin|pages|\w+_actions)(\.\w+)*"
    r"|apps\.shared\.(identity\.(permissions|sessions|tokens)|admin\.pages|(health|openapi)\.api)"
)
_ACCOUNTS: Final = r"federated_imputation\.monolith\.accounts\.(\w+\.)?"
_FILES: Final = r"federated_imputation\.monolith\.files\.(\w+\.)?"
# Of what the walk does not notice: pattern of a module's name → the tests that have to, below
# `tests/`; the first that fits.
TESTS: Final = {
    r"apps\.shared\.identity\.sessions": "unit/monolith/test_guard.py",
    r"apps\.shared\.identity\.tokens": (
        "unit/apps/shared/identity/test_tokens.py unit/monolith/accounts/test_tokens.py"
    ),
    r"apps\.shared\.(health|openapi)\.api": "unit/monolith/test_guard.py",
    r"apps\.shared\.admin\..*": "unit/monolith/test_admin.py",
    r"apps\.shared\.identity\..*": (
        "security/test_fourteen_mistakes.py"
        "::test_mistake_10_open_to_other_sites_a_view_that_says_nothing_is_closed"
    ),
    _ACCOUNTS + "backend": "unit/monolith/accounts/test_passwords.py",
    _ACCOUNTS + "(api_)?tokens": (
        "unit/monolith/accounts/test_tokens.py unit/monolith/accounts/test_api_tokens.py"
    ),
    _ACCOUNTS + "credentials": (
        "unit/monolith/accounts/test_credentials.py unit/monolith/registry/test_setup_pages.py"
    ),
    _ACCOUNTS + "user_actions": "unit/monolith/accounts/test_user_actions.py",
    _ACCOUNTS + "rights": "unit/monolith/accounts/test_rights.py",
    _ACCOUNTS + "service_rights": (
        "unit/monolith/accounts/test_service_rights.py "
        "unit/monolith/accounts/test_service_access.py unit/monolith/test_deletions.py"
    ),
    _ACCOUNTS + "erasure": "unit/monolith/test_deletions.py",
    _ACCOUNTS + "(users|profiles|people|roles|administrators)": (
        "unit/monolith/accounts/test_people_users.py "
        "unit/monolith/accounts/test_people_profiles.py "
        "unit/monolith/accounts/test_people_roles.py unit/monolith/accounts/test_people_admin.py "
        "unit/monolith/accounts/test_people_closed.py unit/monolith/test_deletions.py"
    ),
    _ACCOUNTS + "audit": "unit/monolith/accounts/test_audit_api.py",
    _ACCOUNTS + "(pages|admin)": (
        "unit/monolith/accounts/test_people_admin.py unit/monolith/accounts/test_audit_admin.py "
        "unit/monolith/test_deletions.py"
    ),
    _FILES + "genotypes": (
        "unit/monolith/files/test_genotype_files.py unit/monolith/files/test_panel_sites.py "
        "unit/monolith/test_deletions.py"
    ),
    _FILES + "runs": (
        "unit/monolith/files/test_genotype_files.py unit/monolith/files/test_file_runs.py"
    ),
    _FILES + "results": "unit/monolith/files/test_api.py unit/monolith/test_deletions.py",
    r"federated_imputation\.monolith\.deletions\..*": "unit/monolith/test_deletions.py",
    r"federated_imputation\.monolith\.jobs\.parents\..*": (
        "unit/monolith/jobs/test_parents.py unit/monolith/test_deletions.py"
    ),
    r"federated_imputation\.monolith\.jobs\.(api|queries)": (
        "unit/monolith/jobs/test_access.py unit/monolith/jobs/test_api.py "
        "unit/monolith/jobs/test_worker.py unit/monolith/dashboard/test_api.py "
        "unit/monolith/test_deletions.py"
    ),
    r"federated_imputation\.monolith\.registry\.admin": (
        "unit/monolith/registry unit/monolith/test_deletions.py"
    ),
    r"federated_imputation\.monolith\.registry\.operations.*": (
        "unit/monolith/registry/test_addresses.py unit/monolith/registry/test_panel_sync.py "
        "unit/monolith/registry/test_service_writes.py unit/monolith/registry/test_sync.py "
        "unit/monolith/test_deletions.py unit/monolith/registry/test_setup_pages.py"
    ),
    r"federated_imputation\.monolith\.registry\.queries": (
        "unit/monolith/registry/test_api.py unit/monolith/files/test_arrivals.py "
        "unit/monolith/dashboard/test_api.py unit/monolith/test_deletions.py"
    ),
    r"federated_imputation\.monolith\.jobs\.plans\..*": (
        "unit/monolith/jobs/test_templates.py unit/monolith/jobs/test_batches.py "
        "unit/monolith/jobs/test_schedules.py unit/monolith/jobs/test_schedule_executions.py "
        "unit/monolith/test_deletions.py"
    ),
    r"federated_imputation\.monolith\.(\w+)\..*": r"unit/monolith/\1",
}


def settings(folder: Path) -> dict[str, Any]:
    """What differs while the walk is under way: a folder of its own, cheap passwords."""
    return {
        "DATA_ROOT": str(folder),
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    }
