"""Routes of the files domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.files.api.results import (
    DownloadView,
    ResultFileListView,
    ResultFileView,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("result-files/", ResultFileListView.as_view()),
    path("result-files/<int:file_id>/", ResultFileView.as_view()),
    path("result-files/<int:file_id>/download/", DownloadView.as_view()),
    path("jobs/<str:job_id>/files/<int:file_id>/download/", DownloadView.as_view()),
]
