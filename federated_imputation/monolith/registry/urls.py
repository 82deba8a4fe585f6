"""Routes of the registry domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.registry.api.bulk import (
    BulkCreateView,
    BulkDeleteView,
    BulkUpdateView,
)
from federated_imputation.monolith.registry.api.panels import (
    PanelListView,
    PanelView,
    ServicePanelsView,
)
from federated_imputation.monolith.registry.api.services import ServiceListView, ServiceView
from federated_imputation.monolith.registry.api.sync import SyncPanelsView, SyncStatusView

urlpatterns: list[URLPattern | URLResolver] = [
    path("services/", ServiceListView.as_view()),
    path("services/bulk_create/", BulkCreateView.as_view()),
    path("services/bulk_update/", BulkUpdateView.as_view()),
    path("services/bulk_delete/", BulkDeleteView.as_view()),
    path("services/<int:service_id>/", ServiceView.as_view()),
    path("services/<int:service_id>/sync_reference_panels/", SyncPanelsView.as_view()),
    path("services/<int:service_id>/sync_status/", SyncStatusView.as_view()),
    path("services/<int:service_id>/reference_panels/", ServicePanelsView.as_view()),
    path("reference-panels/", PanelListView.as_view()),
    path("reference-panels/<int:panel_id>/", PanelView.as_view()),
]
