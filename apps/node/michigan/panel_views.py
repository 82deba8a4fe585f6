"""An extension of the Michigan API: what sites a panel has, so that clients can check beforehand.

Other servers have no such path and answer 404; a client that finds none does without.
"""

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.node import queries
from apps.node.michigan.access import AnyToken
from apps.node.michigan.views import MichiganView
from apps.node.pipeline.panels import Panel
from apps.node.pipeline.site_lists import SiteList, open_site_list
from apps.node.refusals import Refusal
from apps.shared.streaming import answer_with_file

__all__ = ["SiteListView", "SiteListsView"]


class PanelNotFound(Refusal):
    """The node has no such panel, or the panel no such chromosome."""

    status = 404


class SiteListsView(MichiganView):
    """`/api/v2/panels/{key}/sites`: the chromosomes with the size and digest of their files."""

    permission_classes = [AnyToken]

    def get(self, request: Request, key: str) -> Response:
        panel = _panel(key)
        lists = [_site_list(panel, name) for name in panel.names]
        return Response(
            {
                "panel": panel.key,
                "build": panel.build,
                "chromosomes": [
                    {"name": each.chromosome, "size": each.size, "sha256": each.sha256}
                    for each in lists
                ],
            }
        )


class SiteListView(MichiganView):
    """`/api/v2/panels/{key}/sites/{chromosome}.vcf.gz`, with its SHA-256 as the entity tag."""

    permission_classes = [AnyToken]

    def get(self, request: Request, key: str, chromosome: str) -> HttpResponseBase:
        found = _site_list(_panel(key), chromosome)
        return answer_with_file(
            found.path,
            size=found.size,
            filename=f"chr{chromosome}.sites.vcf.gz",
            etag=found.sha256,
            range_header=request.headers.get("Range", ""),
            if_range=request.headers.get("If-Range", ""),
            if_none_match=request.headers.get("If-None-Match", ""),
        )


def _panel(key: str) -> Panel:
    panel = queries.find_panel(key, queries.panels())
    if panel is None:
        raise PanelNotFound(f"Reference panel '{key}' not found.")
    return panel


def _site_list(panel: Panel, chromosome: str) -> SiteList:
    try:
        return open_site_list(panel, chromosome)
    except KeyError as error:
        raise PanelNotFound(
            f"Reference panel '{panel.key}' has no chromosome '{chromosome}'."
        ) from error
