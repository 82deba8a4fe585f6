"""Django's admin pages: who is staff comes in, and what a model's page allows is written here.

An admin page is a plain function that takes any method for a GET, unless it is a POST.
"""

from typing import Final

from tests.security.monolith.actors import EVERYBODY, names
from tests.security.walk import Row

__all__ = ["ADMIN_ROWS"]

_SUPERUSER: Final = names("superuser")
# Staff without any of Django's model permissions.
_STAFF: Final = names("staff")
_FORM: Final = ("GET", "POST", "PUT")
_ANY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Model → the object that is asked for, and what a superuser is answered: add, change, delete.
_EDITABLE: Final = (200, 200, 200)
_SHOWN_ONLY: Final = (403, 200, 403)
_MODELS: Final = {
    "auth/group": ("auth group", _EDITABLE),
    "auth/user": ("user owner", _EDITABLE),
    "imputation/auditlog": ("audit", _SHOWN_ONLY),
    "imputation/imputationjob": ("job", _SHOWN_ONLY),
    "imputation/imputationservice": ("here", _EDITABLE),
    "imputation/jobstatusupdate": ("update", _SHOWN_ONLY),
    "imputation/referencepanel": ("panel", _EDITABLE),
    "imputation/resultfile": ("file", _SHOWN_ONLY),
    "imputation/serviceconfiguration": ("configuration", _EDITABLE),
    "imputation/servicecredential": ("credential", (403, 200, 200)),
    "imputation/servicepermission": ("right", _EDITABLE),
    "imputation/serviceusergroup": ("group", _EDITABLE),
    "imputation/userprofile": ("profile", _EDITABLE),
    "imputation/userrole": ("role", _EDITABLE),
    "imputation/userserviceaccess": ("access", _EDITABLE),
}


def _page(
    route: str,
    *,
    superuser: int,
    staff: int = 403,
    others: int = 302,
    post: tuple[int, int, int] | None = None,
    methods: tuple[str, ...] = (*_ANY, "TRACE"),
    thing: str = "",
    path: str = "",
    query: str = "",
) -> list[Row]:
    """The methods of one page: what a superuser, other staff and everybody else are answered.

    Args:
        others: 302 leads to the login.
        post: The three answers to POST, where they differ.
        thing: Name of the value of the scene that the page is about.
        path: Of a route that is a regular expression.
    """
    rows = []
    for method in methods:
        answers = post if post and method == "POST" else (superuser, staff, others)
        rows.append(
            Row(
                route=f"admin/{route}",
                method=method,
                grants=dict(zip((_SUPERUSER, _STAFF, EVERYBODY), answers, strict=True)),
                at={"object_id": thing, "id": thing} if thing else {},
                path=f"/admin/{path}" if path else "",
                query=query,
                seldom=method != "GET",
            )
        )
    return rows


def _model_pages() -> list[Row]:
    rows = []
    for model, (thing, (add, change, delete)) in _MODELS.items():
        one = f"{model}/<path:object_id>"
        read_only = (403, 403, 302) if add == 403 else None
        rows += _page(f"{model}/", superuser=200)
        rows += _page(f"{model}/add/", superuser=add)
        rows += _page(f"{one}/change/", superuser=change, post=read_only, thing=thing)
        rows += _page(f"{one}/delete/", superuser=delete, thing=thing)
        rows += _page(f"{one}/history/", superuser=200, thing=thing)
        rows += _page(f"{one}/", superuser=302, staff=302, methods=_ANY, thing=thing)
    return rows


ADMIN_ROWS: Final = (
    *_page("", superuser=200, staff=200),
    *_page("login/", superuser=302, staff=302, others=200, post=(200, 200, 200)),
    *_page("logout/", methods=("POST",), superuser=200, staff=200),
    *_page("password_change/", superuser=200, staff=200, methods=_FORM),
    *_page("password_change/done/", superuser=200, staff=200, methods=("GET",)),
    *_page("jsi18n/", superuser=200, staff=200),
    *_page(
        "autocomplete/",
        superuser=200,
        query="?app_label=imputation&model_name=userprofile&field_name=user",
    ),
    *_page("auth/user/<id>/password/", superuser=200, thing="user owner"),
    *_page(
        "r/<path:content_type_id>/<path:object_id>/",
        superuser=404,
        staff=404,
        path="r/1/1/",
    ),
    *_page("^(?P<app_label>auth|imputation)/$", superuser=200, staff=404, path="imputation/"),
    *_page("(?P<url>.*)$", superuser=404, staff=404, path="nothing-here/"),
    *_model_pages(),
)
