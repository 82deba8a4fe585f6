"""Writes of the registry domain."""

from federated_imputation.monolith.registry.operations.addresses import (
    AddressChange,
    change_address,
)
from federated_imputation.monolith.registry.operations.panels import PanelSync, sync_panels
from federated_imputation.monolith.registry.operations.services import (
    InvalidService,
    ServiceInUse,
    create_service,
    delete_service,
    update_service,
)
from federated_imputation.monolith.registry.standing import (
    Pass,
    enter,
    lock_standing,
    note_answer,
    note_silence,
)

__all__ = [
    "AddressChange",
    "InvalidService",
    "PanelSync",
    "Pass",
    "ServiceInUse",
    "change_address",
    "create_service",
    "delete_service",
    "enter",
    "lock_standing",
    "note_answer",
    "note_silence",
    "sync_panels",
    "update_service",
]
