"""Who may do what at a node: the whole table that the walk holds against the code.

A link with the random hash of a file or folder opens it for anybody, as at every Michigan server.
"""

from typing import Final

from tests.security.node.scene import ADMIN, ADMIN_SESSION, EVERYBODY, IN_FORCE, OWNER, SESSIONS
from tests.security.node.scene import OWNER_SESSION as THEIR_LOGIN
from tests.security.walk import Outcome, Row, absent, form, json_body

__all__ = ["ROWS"]

_MAY_SEE: Final = OWNER | THEIR_LOGIN | ADMIN | ADMIN_SESSION
_SHOWN: Final = Outcome(200, True)


def _open(route: str) -> Row:
    return Row(route=route, method="GET", grants={EVERYBODY: 200})


_PRESENT: Final = (
    _open(""),
    _open("healthz"),
    _open("readyz"),
    _open("metrics"),
    Row(
        route="login",
        method="POST",
        grants={EVERYBODY: 401},
        body=form(username="owner", password="wrong"),
        writes=frozenset({"node_user"}),  # the failed attempts
    ),
    Row(
        route="api/v2/tokens/verify",
        method="POST",
        grants={EVERYBODY: 200},
        body=json_body(token="a.b.c"),
    ),
    Row(route="api/v2/users/<str:username>/api-token", method="POST", grants={SESSIONS: 200}),
    Row(route="api/v2/users/<str:username>/api-token", method="DELETE", grants={SESSIONS: 200}),
    Row(
        route="api/v2/users/<str:username>/profile",
        method="GET",
        grants={OWNER | THEIR_LOGIN: _SHOWN, IN_FORCE: Outcome(200, False)},
        marker="owner_mail",
        title="everybody's own, whatever the path says",
    ),
    _open("api/v2/server"),
    _open("api/v2/server/counters"),
    Row(route="api/v2/server/apps/<str:app>", method="GET", grants={IN_FORCE: 200}),
    Row(
        route="api/v2/jobs",
        method="GET",
        grants={OWNER | THEIR_LOGIN: _SHOWN, IN_FORCE: Outcome(200, False)},
        marker="job_id",
    ),
    Row(
        route="api/v2/jobs/submit/<str:app>",
        method="POST",
        grants={IN_FORCE: 200},
        body=form(refpanel="apps@kit-afr@1.0.0", population="afr", build="hg38"),
    ),
    *(
        Row(route=route, method="GET", grants={_MAY_SEE: _SHOWN}, marker="job_id")
        for route in ("api/v2/jobs/<str:job_id>", "api/v2/jobs/<str:job_id>/status")
    ),
    *(
        Row(
            route=route,
            method="DELETE",
            grants={THEIR_LOGIN | ADMIN_SESSION: 200},
            at={"job_id": "doomed"},
        )
        for route in ("api/v2/jobs/<str:job_id>", "api/v2/jobs/<str:job_id>/status")
    ),
    Row(
        route="api/v2/jobs/<str:job_id>/cancel",
        method="GET",
        grants={_MAY_SEE: 200},
        at={"job_id": "waiting"},
    ),
    Row(
        route="api/v2/jobs/<str:job_id>/restart",
        method="GET",
        grants={_MAY_SEE: 400},
        title="a finished job is not restarted",
    ),
    Row(route="api/v2/panels/<str:key>/sites", method="GET", grants={IN_FORCE: 200}),
    Row(
        route="api/v2/panels/<str:key>/sites/<str:chromosome>.vcf.gz",
        method="GET",
        grants={IN_FORCE: 200},
    ),
    _open("share/<str:username>/<str:file_hash>/<path:name>"),
    Row(
        route="share/<str:username>/<str:file_hash>/<path:name>",
        method="GET",
        grants={EVERYBODY: 404},
        at={"file_hash": "no_hash"},
        title="another hash",
    ),
    *(
        Row(
            route=route,
            method="GET",
            grants={EVERYBODY: 404},
            at={"name": "no_name"},
            title="another name",
        )
        for route in (
            "share/<str:username>/<str:file_hash>/<path:name>",
            "browse/<str:output_hash>/<path:name>",
        )
    ),
    Row(
        route="downloads/<str:job_id>/<str:file_hash>/<path:name>",
        method="GET",
        grants={_MAY_SEE: 200},
    ),
    Row(
        route="downloads/<str:job_id>/<str:file_hash>/<path:name>",
        method="GET",
        grants={_MAY_SEE: 404},
        at={"job_id": "waiting"},
        title="a file of another job",
    ),
    _open("browse/<str:output_hash>/<path:name>"),
    _open("get/<str:output_hash>"),
    Row(
        route="object/<str:signed>/<path:name>",
        method="GET",
        grants={EVERYBODY: 403},
        title="a link that we did not sign",
    ),
)

# Whatever stands for the user's name, the token tells who it is.
ROWS: Final = (
    *absent(
        _PRESENT,
        sample=frozenset({"nobody", "owner, session", "owner, API token", "admin, session"}),
        ignored=frozenset({"username"}),
    ),
    *_PRESENT,
)
