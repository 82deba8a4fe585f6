"""Rows for tests: explicit defaults, no randomness; a test names what it cares about."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User

from federated_imputation.monolith.accounts.models import UserProfile, UserRole
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry.models import ImputationService, ReferencePanel

__all__ = ["NOW", "PASSWORD", "make_job", "make_panel", "make_service", "make_user"]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


def make_user(username: str = "ada", *, role: str | None = None, **fields: Any) -> User:
    """A user who logs in with `PASSWORD`; with a profile only when a role is given."""
    user = User.objects.create_user(username, password=PASSWORD, **fields)
    if role is not None:
        UserProfile.objects.create(
            user=user, role=UserRole.objects.get_or_create(name=role)[0], country="Mali"
        )
    return user


def make_service(name: str = "AFR node", **fields: Any) -> ImputationService:
    values: dict[str, Any] = {
        "service_type": "michigan",
        "api_type": "michigan",
        "api_url": "https://imputation.example.org",
        "api_config": {"application": "imputationserver2"},
        "supported_formats": ["vcf.gz"],
    }
    return ImputationService.objects.create(name=name, **{**values, **fields})


def make_panel(
    service: ImputationService, panel_id: str = "apps@kit-afr@1.0.0", **fields: Any
) -> ReferencePanel:
    values: dict[str, Any] = {"name": "Kit AFR", "population": "African", "build": "hg38"}
    return ReferencePanel.objects.create(service=service, panel_id=panel_id, **{**values, **fields})


def make_job(user: User, panel: ReferencePanel, **fields: Any) -> ImputationJob:
    values: dict[str, Any] = {"name": "Study", "created_at": NOW, "service": panel.service}
    return ImputationJob.objects.create(user=user, reference_panel=panel, **{**values, **fields})
