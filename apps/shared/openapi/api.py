"""`/api/schema/` and the page that shows it."""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.shared.openapi.document import document

__all__ = ["DocsView", "SchemaView"]


class SchemaView(APIView):
    """The OpenAPI description, as YAML or as JSON by `Accept` or `?format=`.

    It is the same for everybody, in one language and one version, and it costs nothing to ask for:
    other parameters are ignored.
    """

    permission_classes = [AllowAny]
    authentication_classes = []
    renderer_classes = [
        OpenApiYamlRenderer,
        OpenApiYamlRenderer2,
        OpenApiJsonRenderer,
        OpenApiJsonRenderer2,
    ]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponseBase:
        renderer = request.accepted_renderer
        found = document(renderer.format)
        answer = get_conditional_response(request._request, etag=found.etag)
        if answer is None:
            answer = HttpResponse(found.body, content_type=renderer.media_type)
            name = f"{spectacular_settings.TITLE}.{renderer.format}"
            answer.headers["Content-Disposition"] = f'inline; filename="{name}"'
        answer.headers["ETag"] = found.etag
        answer.headers["Cache-Control"] = "no-cache"
        patch_vary_headers(answer, ("Accept",))
        return answer


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own static files; its script is a file of its own, as our CSP demands."""

    permission_classes = [AllowAny]
    authentication_classes = []
    url_name = "schema"
    # Its renderer has no words for OPTIONS.
    http_method_names = ["get", "head"]

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        page: HttpResponseBase = super().get(  # type: ignore[no-untyped-call]
            request, *args, **kwargs
        )
        return page
