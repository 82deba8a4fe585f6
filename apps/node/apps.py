from django.apps import AppConfig
from django.conf import settings

from apps.node import workspaces


class NodeConfig(AppConfig):
    name = "apps.node"
    label = "node"

    def ready(self) -> None:
        # Django opens a file there for every upload and makes no folder itself.
        if settings.ENVIRONMENT != "check":
            workspaces.uploads_root().mkdir(parents=True, exist_ok=True, mode=0o700)
