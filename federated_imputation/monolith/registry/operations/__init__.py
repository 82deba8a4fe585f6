"""Writes of the registry domain."""

from federated_imputation.monolith.registry.operations.addresses import (
    AddressChange,
    change_address,
)
from federated_imputation.monolith.registry.operations.panels import PanelSync, sync_panels

__all__ = ["AddressChange", "PanelSync", "change_address", "sync_panels"]
