"""What `INSTALLED_APPS` names for the admin pages of a deployment."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

__all__ = ["LookConfig", "SiteConfig"]


class LookConfig(AppConfig):
    """The templates and static files that stand in for some of unfold's; listed before unfold."""

    name = "apps.shared.admin"
    label = "operators"


class SiteConfig(AdminConfig):
    """Django's admin, on `OperatorSite`."""

    default_site = "apps.shared.admin.site.OperatorSite"
