"""Routes of the jobs domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.jobs.api import (
    CancelView,
    JobFilesView,
    JobListView,
    JobUpdatesView,
    JobView,
    RetryView,
    RevealPasswordView,
    StatusUpdateListView,
    StatusUpdateView,
)
from federated_imputation.monolith.jobs.parents.api import (
    CancelParentView,
    MultiServiceView,
    ParentListView,
    ParentUpdatesView,
    ParentView,
    RetryParentView,
)
from federated_imputation.monolith.jobs.plans.urls import urlpatterns as plans

# Ids are parsed by the views, so that one that is none is 404 like one that is not there.
urlpatterns: list[URLPattern | URLResolver] = [
    path("jobs/", JobListView.as_view()),
    path("jobs/multi_service/", MultiServiceView.as_view()),
    path("jobs/<str:job_id>/", JobView.as_view()),
    path("jobs/<str:job_id>/cancel/", CancelView.as_view()),
    path("jobs/<str:job_id>/retry/", RetryView.as_view()),
    path("jobs/<str:job_id>/status_updates/", JobUpdatesView.as_view()),
    path("jobs/<str:job_id>/files/", JobFilesView.as_view()),
    path("jobs/<str:job_id>/reveal_password/", RevealPasswordView.as_view()),
    path("parent-jobs/", ParentListView.as_view()),
    path("parent-jobs/<str:parent_id>/", ParentView.as_view()),
    path("parent-jobs/<str:parent_id>/cancel/", CancelParentView.as_view()),
    path("parent-jobs/<str:parent_id>/retry/", RetryParentView.as_view()),
    path("parent-jobs/<str:parent_id>/status_updates/", ParentUpdatesView.as_view()),
    path("status-updates/", StatusUpdateListView.as_view()),
    path("status-updates/<int:update_id>/", StatusUpdateView.as_view()),
    *plans,
]
