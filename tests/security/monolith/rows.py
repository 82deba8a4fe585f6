"""How the tables of the monolith's walk are written down."""

from collections.abc import Mapping
from typing import Any

from tests.security.monolith.actors import CALLERS, EVERYBODY
from tests.security.walk import Outcome, Row, type_of_body

__all__ = ["Grants", "endpoint", "open_to_all", "open_to_callers"]

Grants = Mapping[frozenset[str], Outcome | int]


def endpoint(
    route: str,
    *,
    marker: str = "",
    at: Mapping[str, str] | None = None,
    body: type_of_body | None = None,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    writes: frozenset[str] = frozenset(),
    title: str = "",
    **methods: Grants,
) -> list[Row]:
    """The rows of one endpoint: under each method, sets of callers and what they get.

    The first set that holds the caller counts; whoever is in none is refused.

    Args:
        marker: Name of the value of the scene that a GET shows, or must not show.
        at: By parameter of the route, the name of another value of the scene.
        body: Sent with every method but GET and DELETE.
    """
    return [
        Row(
            route=route,
            method=method,
            grants=grants,
            marker=marker if method == "GET" else "",
            at=at or {},
            body=body if method not in {"GET", "DELETE"} else None,
            query=query,
            headers=headers or {},
            writes=writes,
            title=title,
        )
        for method, grants in methods.items()
    ]


def open_to_callers(route: str, **more: Any) -> list[Row]:
    """Anybody may read it, but a token that is not in force is told so."""
    return endpoint(route, GET={CALLERS: 200}, **more)


def open_to_all(route: str, **more: Any) -> list[Row]:
    """Anybody may read it, and nobody is asked who he is."""
    return endpoint(route, GET={EVERYBODY: 200}, **more)
