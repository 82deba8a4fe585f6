"""Paths of the Michigan API as Cloudgene serves them: no trailing slashes."""

from django.urls import path

from apps.node.michigan import download_views, job_views, panel_views, views

urlpatterns = [
    path("login", views.LoginView.as_view()),
    path("api/v2/tokens/verify", views.TokenVerifyView.as_view()),
    path("api/v2/users/<str:username>/api-token", views.ApiTokenView.as_view()),
    path("api/v2/users/<str:username>/profile", views.ProfileView.as_view()),
    path("api/v2/server", views.ServerView.as_view()),
    path("api/v2/server/counters", views.CountersView.as_view()),
    path("api/v2/server/apps/<str:app>", views.ApplicationView.as_view()),
    path("api/v2/jobs", job_views.JobListView.as_view()),
    path("api/v2/jobs/submit/<str:app>", job_views.SubmitView.as_view()),
    path("api/v2/jobs/<str:job_id>", job_views.JobView.as_view()),
    path("api/v2/jobs/<str:job_id>/status", job_views.JobView.as_view()),
    path("api/v2/jobs/<str:job_id>/cancel", job_views.CancelView.as_view()),
    path("api/v2/jobs/<str:job_id>/restart", job_views.RestartView.as_view()),
    path("api/v2/panels/<str:key>/sites", panel_views.SiteListsView.as_view()),
    path(
        "api/v2/panels/<str:key>/sites/<str:chromosome>.vcf.gz",
        panel_views.SiteListView.as_view(),
    ),
    path("share/<str:username>/<str:file_hash>/<path:name>", download_views.ShareView.as_view()),
    path(
        "downloads/<str:job_id>/<str:file_hash>/<path:name>",
        download_views.DownloadView.as_view(),
    ),
    path("browse/<str:output_hash>/<path:name>", download_views.BrowseView.as_view()),
    path("get/<str:output_hash>", download_views.ScriptView.as_view()),
    path("object/<str:signed>/<path:name>", download_views.ObjectView.as_view()),
]
