"""Writes of the registry domain."""

from federated_imputation.monolith.registry.operations.addresses import (
    AddressChange,
    change_address,
)
from federated_imputation.monolith.registry.operations.panels import PanelSync
from federated_imputation.monolith.registry.operations.removal import (
    delete_panel,
    erase_panel,
    erase_service,
    remove_service,
)
from federated_imputation.monolith.registry.operations.services import (
    InvalidService,
    ServiceInUse,
    create_service,
    delete_service,
    update_service,
)
from federated_imputation.monolith.registry.operations.setup import (
    Found,
    NotReady,
    look_at_new_service,
    set_up_service,
)
from federated_imputation.monolith.registry.operations.synchronisation import (
    SyncUnderWay,
    check_service,
    claim_due_syncs,
    request_sync,
    run_due_sync,
    sync_panels,
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
    "Found",
    "InvalidService",
    "NotReady",
    "PanelSync",
    "Pass",
    "ServiceInUse",
    "SyncUnderWay",
    "change_address",
    "check_service",
    "claim_due_syncs",
    "create_service",
    "delete_panel",
    "delete_service",
    "enter",
    "erase_panel",
    "erase_service",
    "lock_standing",
    "look_at_new_service",
    "note_answer",
    "note_silence",
    "remove_service",
    "request_sync",
    "run_due_sync",
    "set_up_service",
    "sync_panels",
    "update_service",
]
