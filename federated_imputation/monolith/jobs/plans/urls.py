"""Routes of templates, batches and schedules, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.jobs.plans.api.batches import (
    BatchCancelView,
    BatchJobsView,
    BatchListView,
    BatchRetryView,
    BatchView,
)
from federated_imputation.monolith.jobs.plans.api.schedules import (
    ExecutionListView,
    PauseView,
    ResumeView,
    RunNowView,
    ScheduleListView,
    ScheduleView,
)
from federated_imputation.monolith.jobs.plans.api.templates import (
    TemplateListView,
    TemplateUseView,
    TemplateView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("templates/", TemplateListView.as_view()),
    path("templates/<str:template_id>/", TemplateView.as_view()),
    path("templates/<str:template_id>/use/", TemplateUseView.as_view()),
    path("batches/", BatchListView.as_view()),
    path("batches/<str:batch_id>/", BatchView.as_view()),
    path("batches/<str:batch_id>/jobs/", BatchJobsView.as_view()),
    path("batches/<str:batch_id>/cancel/", BatchCancelView.as_view()),
    path("batches/<str:batch_id>/retry/", BatchRetryView.as_view()),
    path("scheduled/", ScheduleListView.as_view()),
    path("scheduled/<str:schedule_id>/", ScheduleView.as_view()),
    path("scheduled/<str:schedule_id>/executions/", ExecutionListView.as_view()),
    path("scheduled/<str:schedule_id>/pause/", PauseView.as_view()),
    path("scheduled/<str:schedule_id>/resume/", ResumeView.as_view()),
    path("scheduled/<str:schedule_id>/run_now/", RunNowView.as_view()),
]
