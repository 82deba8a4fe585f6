from importlib import import_module

from django.apps import AppConfig


class MonolithConfig(AppConfig):
    """The legacy app: its label, and so its table names and migrations, stay `imputation`."""

    name = "federated_imputation.monolith"
    label = "imputation"

    def ready(self) -> None:
        import_module("federated_imputation.monolith.accounts.receivers")
