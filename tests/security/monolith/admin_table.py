"""Django's admin pages: staff come in, and a page opens with Django's permission and the role's.

An admin page is a plain function that takes any method for a GET, unless it is a POST.
"""

from typing import Final, NamedTuple

from tests.security.monolith.actors import (
    CLERK_OF_ADMIN,
    CLERK_OF_SERVICES,
    CLERKS,
    EVERYBODY,
    names,
)
from tests.security.walk import Row

__all__ = ["ADMIN_ROWS"]

_SUPERUSER: Final = names("superuser")
_STAFF: Final = names("superuser", "staff", CLERKS)
# One of each kind: most pages ask for no more than who is staff, and with what permissions.
_SOME: Final = names("anonymous", "deactivated", "owner", "admin", _STAFF)
# Rendering is slow: what is like GET is asked by those who get few pages.
_FEW: Final = names("anonymous", "owner", "staff")
_LIKE_GET: Final = ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE")
_FORM: Final = ("GET", "HEAD", "POST", "PUT")
_REDIRECT: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")

_GOVERNORS: Final = names(_SUPERUSER, CLERK_OF_ADMIN)
_SERVICE_GOVERNORS: Final = names(_GOVERNORS, CLERK_OF_SERVICES)
_NOBODY: Final = frozenset[str]()


class _Pages(NamedTuple):
    """Who gets which page of a model.

    Attributes:
        thing: Name of the value of the scene that is asked for.
        see: The list, the row, its history.
        saved: What an empty form is answered: 302 where no field must be filled in.
    """

    thing: str
    see: frozenset[str]
    add: frozenset[str]
    change: frozenset[str]
    delete: frozenset[str]
    saved: int = 200


def _all(thing: str, who: frozenset[str]) -> _Pages:
    return _Pages(thing, who, who, who, who)


def _shown(thing: str, who: frozenset[str]) -> _Pages:
    return _Pages(thing, who, _NOBODY, _NOBODY, _NOBODY)


_MODELS: Final = {
    "auth/group": _Pages("auth group", _GOVERNORS, _SUPERUSER, _SUPERUSER, _SUPERUSER),
    "auth/user": _Pages("user owner", _GOVERNORS, _GOVERNORS, _GOVERNORS, _NOBODY),
    "imputation/auditlog": _shown("audit", _GOVERNORS),
    "imputation/genotypefile": _shown("genotype_id", _SERVICE_GOVERNORS),
    "imputation/imputationjob": _shown("job", _SERVICE_GOVERNORS),
    "imputation/imputationservice": _all("here", _GOVERNORS),
    "imputation/jobbatch": _shown("batch_id", _SERVICE_GOVERNORS),
    "imputation/jobstatusupdate": _shown("update", _SERVICE_GOVERNORS),
    "imputation/jobtemplate": _shown("template_id", _SERVICE_GOVERNORS),
    "imputation/referencepanel": _all("panel", _GOVERNORS),
    "imputation/resultfile": _shown("file", _SERVICE_GOVERNORS),
    "imputation/scheduledjob": _shown("schedule_id", _SERVICE_GOVERNORS),
    "imputation/serviceconfiguration": _all("configuration", _GOVERNORS),
    "imputation/servicecredential": _Pages("credential", _GOVERNORS, _NOBODY, _NOBODY, _GOVERNORS),
    "imputation/servicepermission": _all("right", _SERVICE_GOVERNORS),
    "imputation/serviceusergroup": _all("group", _SERVICE_GOVERNORS),
    "imputation/userprofile": _all("profile", _GOVERNORS),
    "imputation/userrole": _Pages("role", _GOVERNORS, _GOVERNORS, _GOVERNORS, _NOBODY, saved=302),
    "imputation/userserviceaccess": _all("access", _SERVICE_GOVERNORS),
}


def _page(
    route: str,
    *,
    staff: int = 200,
    refusal: int = 403,
    others: int = 302,
    who: frozenset[str] | None = None,
    post: frozenset[str] | None = None,
    methods: tuple[str, ...] = ("GET", "POST", *_LIKE_GET),
    thing: str = "",
    path: str = "",
    query: str = "",
    title: str = "",
) -> list[Row]:
    """The methods of one page.

    Args:
        staff: What staff are answered who get the page.
        refusal: What other staff are.
        others: What everybody else is; 302 leads to the login.
        who: Those of the staff who get the page; `None` for all.
        post: As `who`, for POST.
        thing: Name of the value of the scene that the page is about.
        path: Of a route that is a regular expression.
    """
    rows = []
    for method in methods:
        let_in = post if post is not None and method == "POST" else who
        grants = {_STAFF: staff} if let_in is None else {let_in: staff, _STAFF: refusal}
        rows.append(
            Row(
                route=f"admin/{route}",
                method=method,
                grants={**grants, EVERYBODY: others},
                at={"object_id": thing, "id": thing} if thing else {},
                path=f"/admin/{path}" if path else "",
                query=query,
                title=title,
                asked_by=_SOME if method in {"GET", "POST"} else _FEW,
            )
        )
    return rows


def _model_pages() -> list[Row]:
    rows = []
    for model, pages in _MODELS.items():
        one = f"{model}/<path:object_id>"
        thing = pages.thing
        rows += _page(f"{model}/", who=pages.see)
        rows += _page(f"{model}/add/", who=pages.add)
        rows += _page(f"{one}/change/", who=pages.see, methods=("GET", *_LIKE_GET), thing=thing)
        rows += _page(
            f"{one}/change/", staff=pages.saved, who=pages.change, methods=("POST",), thing=thing
        )
        rows += _page(f"{one}/delete/", who=pages.delete, thing=thing)
        rows += _page(f"{one}/history/", who=pages.see, thing=thing)
        rows += _page(f"{one}/", staff=302, methods=_REDIRECT, thing=thing)
    return rows


ADMIN_ROWS: Final = (
    *_page(""),
    *_page("login/", staff=302, others=200, methods=("GET",)),
    *_page("login/", others=200, methods=("HEAD", "OPTIONS", "POST", "PUT")),
    *_page("logout/", methods=("OPTIONS", "POST")),
    *_page("logout/", staff=405, methods=("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE")),
    *_page("password_change/", methods=_FORM),
    *_page("password_change/done/", methods=("GET", "HEAD")),
    *_page("jsi18n/", methods=("GET", "HEAD")),
    *_page(
        "autocomplete/",
        who=_GOVERNORS,
        methods=("GET", "HEAD"),
        query="?app_label=imputation&model_name=userprofile&field_name=user",
    ),
    *_page("auth/user/<id>/password/", who=_GOVERNORS, thing="user owner"),
    *_page(
        "auth/user/<id>/password/", who=_SUPERUSER, thing="user superuser", title="of a superuser"
    ),
    *_page(
        "auth/user/<path:object_id>/change/",
        who=_GOVERNORS,
        post=_SUPERUSER,
        thing="user superuser",
        title="a superuser",
    ),
    *_page(
        "imputation/userprofile/<path:object_id>/delete/",
        who=_SUPERUSER,
        thing="profile of superuser",
        title="a superuser's",
    ),
    *_page(
        "imputation/userprofile/<path:object_id>/change/",
        who=_GOVERNORS,
        post=_SUPERUSER,
        thing="profile of superuser",
        title="a superuser's",
    ),
    *_page("r/<path:content_type_id>/<path:object_id>/", staff=404, path="r/1/1/"),
    *_page(
        "^(?P<app_label>auth|imputation)/$",
        who=_SERVICE_GOVERNORS,
        refusal=404,
        path="imputation/",
    ),
    *_page("(?P<url>.*)$", staff=404, path="nothing-here/"),
    *_model_pages(),
)
