from django.urls import URLPattern, URLResolver, include, path

handler400 = "apps.node.michigan.errors.bad_request"
handler404 = "apps.node.michigan.errors.not_found"
handler500 = "apps.node.michigan.errors.crashed"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.shared.health.urls")),
    path("", include("apps.node.urls")),
]
