"""The way through the admin pages, by what operators do."""

from typing import Any, Final

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

__all__ = ["GROUPS", "groups"]

# Title; then of each page its model, the title of the link, and a Material symbol.
GROUPS: Final = (
    (
        "Services",
        ("imputation.imputationservice", "Services", "dns"),
        ("imputation.serviceconfiguration", "Limits of services", "tune"),
        ("imputation.servicecredential", "Stored secrets", "key"),
    ),
    ("Panels", ("imputation.referencepanel", "Reference panels", "grid_view")),
    (
        "Jobs",
        ("imputation.imputationjob", "Jobs", "science"),
        ("imputation.jobstatusupdate", "What happened to jobs", "history"),
        ("imputation.jobbatch", "Batches", "stacks"),
        ("imputation.jobtemplate", "Templates", "description"),
        ("imputation.scheduledjob", "Schedules", "schedule"),
        ("imputation.genotypefile", "Genotype files", "genetics"),
        ("imputation.resultfile", "Result files", "download"),
    ),
    (
        "People",
        ("auth.user", "Users", "person"),
        ("imputation.userprofile", "Profiles and roles", "badge"),
        ("imputation.userrole", "What roles may", "shield_person"),
        ("imputation.servicepermission", "Rights at services", "verified_user"),
        ("imputation.serviceusergroup", "Groups at services", "groups"),
        ("imputation.userserviceaccess", "Access and quotas", "speed"),
        ("auth.group", "Permissions of staff", "admin_panel_settings"),
    ),
    ("Audit", ("imputation.auditlog", "Audit log", "policy")),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links that whoever asks may follow, in the shape that unfold wants."""
    pages = {model._meta.label_lower: page for model, page in admin.site._registry.items()}
    offered = [
        {
            "title": title,
            "items": [
                {"title": name, "icon": icon, "link": _list_of(label)}
                for label, name, icon in links
                if pages[label].has_view_permission(request)
            ],
        }
        for title, *links in GROUPS
    ]
    return [group for group in offered if group["items"]]


def _list_of(label: str) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_changelist")
