"""Routes of the files domain, below `/api/`."""

from django.urls import URLPattern, URLResolver, path

from federated_imputation.monolith.files.api.genotypes import (
    GenotypeDownloadView,
    GenotypeFileListView,
    GenotypeFileView,
)
from federated_imputation.monolith.files.api.results import (
    DownloadView,
    ResultFileListView,
    ResultFileView,
)
from federated_imputation.monolith.files.api.runs import (
    CancelRunView,
    CheckView,
    FileRunListView,
    FileRunView,
    RepairsView,
)

# Ids are parsed by the views, so that one that is none is 404 like one that is not there.
urlpatterns: list[URLPattern | URLResolver] = [
    path("files/", GenotypeFileListView.as_view()),
    path("files/<str:genotype_id>/", GenotypeFileView.as_view()),
    path("files/<str:genotype_id>/download/", GenotypeDownloadView.as_view()),
    path("files/<str:genotype_id>/check/", CheckView.as_view()),
    path("files/<str:genotype_id>/repairs/", RepairsView.as_view()),
    path("files/<str:genotype_id>/runs/", FileRunListView.as_view()),
    path("files/<str:genotype_id>/runs/<str:run_id>/", FileRunView.as_view()),
    path("files/<str:genotype_id>/runs/<str:run_id>/cancel/", CancelRunView.as_view()),
    path("result-files/", ResultFileListView.as_view()),
    path("result-files/<int:file_id>/", ResultFileView.as_view()),
    path("result-files/<int:file_id>/download/", DownloadView.as_view()),
    path("jobs/<str:job_id>/files/<int:file_id>/download/", DownloadView.as_view()),
]
