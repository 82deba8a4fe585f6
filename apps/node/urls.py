"""The node's status page and its APIs."""

from django.urls import URLPattern, URLResolver, include, path

from apps.node.pages import status_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("", status_page),
    path("", include("apps.node.michigan.urls")),
]
