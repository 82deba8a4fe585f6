"""Who is let in where, read from the routes: the tables of the reference pages."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from django.urls import URLPattern, get_resolver
from rest_framework.permissions import AllowAny

from apps.shared.identity.permissions import SignedIn

__all__ = ["METHODS", "endpoints", "template_of", "who_may"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def endpoints(urlconf: str) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Path, view and methods of every endpoint of the API, by path.

    Args:
        urlconf: Dotted path of its module.
    """
    found = sorted(_views(get_resolver(urlconf).url_patterns, "/"), key=lambda each: each[0])
    for path, view in found:
        yield path, view, tuple(each for each in METHODS if hasattr(view, each.lower()))


def template_of(path: str) -> str:
    """The path as OpenAPI writes it: `{job_id}` for `<str:job_id>`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def who_may(view: Any, methods: Collection[str]) -> str:
    """Whom the permission classes of `view` let in to do `methods`, in words."""
    return " and ".join(_told(permission, methods) for permission in view.permission_classes)


def _views(patterns: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if not isinstance(pattern, URLPattern):
            yield from _views(pattern.url_patterns, path)
            continue
        view = getattr(pattern.callback, "view_class", None) or getattr(
            pattern.callback, "cls", None
        )
        if hasattr(view, "permission_classes"):
            yield path, view


def _told(permission: Any, methods: Collection[str]) -> str:
    if hasattr(permission, "needed"):
        return f"`{permission.needed}`"
    if hasattr(permission, "of"):
        accesses = sorted({"read" if method == "GET" else "write" for method in methods})
        return "signed in, or scope " + ", ".join(f"`{permission.of}:{a}`" for a in accesses)
    known = {AllowAny: "anybody", SignedIn: "signed in"}
    about = (permission.__doc__ or "").rstrip(".")
    return known.get(permission, about[:1].lower() + about[1:])
