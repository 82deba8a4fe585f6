"""Every endpoint of a deployment, read from its URL resolver: nobody has to remember one."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

__all__ = ["METHODS", "Endpoint", "endpoints"]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
_PARAMETER = re.compile(r"<(?:[^:>]+:)?(?P<name>\w+)>")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One URL pattern and what serves it.

    Attributes:
        route: As the URLconf writes it, from the root: `api/jobs/<str:job_id>/`.
        view: The callable that the resolver found.
    """

    route: str
    view: Callable[..., Any]

    @property
    def view_class(self) -> type[Any] | None:
        """The class behind `as_view()`; `None` for a plain function, as most admin pages are."""
        return getattr(self.view, "cls", None) or getattr(self.view, "view_class", None)

    @property
    def methods(self) -> frozenset[str] | None:
        """What the view itself says it allows; `None` for a plain function, which does not say.

        HEAD and OPTIONS come with GET and with any view, and are left out.
        """
        view_class = self.view_class
        if view_class is None:
            return None
        arguments = getattr(self.view, "initkwargs", None) or getattr(
            self.view, "view_initkwargs", {}
        )
        names = arguments.get("http_method_names", view_class.http_method_names)
        actions = getattr(self.view, "actions", None)
        served = actions if actions is not None else [n for n in names if hasattr(view_class, n)]
        return frozenset(name.upper() for name in served) - {"HEAD", "OPTIONS"}

    def path(self, arguments: Mapping[str, Any]) -> str:
        """The path with each parameter filled in from `arguments`, by name."""
        return "/" + _PARAMETER.sub(lambda found: str(arguments[found["name"]]), self.route)


def endpoints() -> list[Endpoint]:
    """All that the deployment's URLconf serves, sorted by route.

    Of two patterns with the same route the first serves all requests, and is the one.
    """
    found: dict[str, Endpoint] = {}
    for endpoint in _below(get_resolver().url_patterns, ""):
        found.setdefault(endpoint.route, endpoint)
    return sorted(found.values(), key=lambda endpoint: endpoint.route)


def _below(patterns: list[Any], prefix: str) -> Iterator[Endpoint]:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _below(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield Endpoint(route=route, view=entry.callback)
        else:
            raise TypeError(entry)
