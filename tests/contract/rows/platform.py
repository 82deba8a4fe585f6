"""The start page, what operators watch, and what holds for every path."""

from typing import Final

from tests.contract.matching import TIME, Each, Has, Not, Text
from tests.contract.row import (
    CALLERS,
    Row,
    call,
    edge,
    permissions,
    refusal,
    success,
    the,
)
from tests.contract.rows.shapes import JOB

__all__ = ["ROWS"]

_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]
_NO_TOKEN: Final = {"Authorization": "Bearer nonsense"}
_STATS: Final = {
    "job_stats": {
        "total": int,
        "completed": int,
        "running": int,
        "failed": int,
        "success_rate": float,
    },
    "service_stats": {"available_services": int, "accessible_services": int},
    "recent_jobs": Each(JOB),
    "status": str,
    "timestamp": TIME,
}
_NOTHING: Final = {"total": 0, "completed": 0, "running": 0, "failed": 0, "success_rate": 0}

_DASHBOARD: Final[list[Row]] = [
    success(
        "GET dashboard/stats/",
        "of the caller's own jobs",
        by="researcher",
        first=[call("GET jobs/{id}/", at="job", by="researcher", status=200)],
        answer={**_STATS, "recent_jobs": Each(JOB, least=1)},
    ),
    success(
        "GET dashboard/stats/",
        "of who has no jobs",
        by="new user",
        answer={**_STATS, "job_stats": _NOTHING, "recent_jobs": []},
        example="dashboard/stats",
    ),
    success(
        "GET dashboard/stats/",
        "of everybody's jobs, for who may see them all",
        by="admin",
        first=[call("GET jobs/{id}/", at="new job", by="researcher", status=200)],
        answer={**_STATS, "recent_jobs": Has({"id": the("new job")})},
    ),
    edge(
        "GET dashboard/stats/",
        "of no other's, for who may not",
        by="other",
        first=[call("GET jobs/{id}/", at="new job", by="researcher", status=200)],
        answer={"recent_jobs": Not({"id": the("new job")})},
    ),
    refusal(
        "GET dashboard/stats/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers=_NO_TOKEN,
    ),
    *permissions("GET dashboard/stats/", granted=CALLERS),
    edge(
        "GET dashboard/stats/",
        "nobody's jobs are shown to nobody",
        by="anonymous",
        answer={"job_stats": _NOTHING, "recent_jobs": []},
    ),
    success(
        "GET dashboard/services_overview/",
        "each service and what it offers",
        by="anonymous",
        answer=Each(
            {
                "id": int,
                "name": str,
                "populations": Each(str),
                "builds": Each(str),
                "reference_panels_count": int,
            },
            least=1,
        ),
        example="dashboard/services-overview",
    ),
    refusal(
        "GET dashboard/services_overview/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers=_NO_TOKEN,
    ),
    *permissions("GET dashboard/services_overview/", granted=CALLERS),
    success(
        "GET dashboard/health/",
        "it answers",
        by="anonymous",
        answer={"status": "healthy", "timestamp": TIME},
        example="dashboard/health",
    ),
    refusal(
        "GET dashboard/health/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers=_NO_TOKEN,
    ),
    *permissions("GET dashboard/health/", granted=CALLERS),
]

_WATCHED: Final[list[Row]] = [
    *(
        row
        for endpoint in ("GET monitoring/metrics/", "GET monitoring/dashboard/")
        for row in (
            success(endpoint, "as it stands", by="admin", answer=dict),
            refusal(
                endpoint, "a token that is none", by="anonymous", status=401, headers=_NO_TOKEN
            ),
            *permissions(endpoint, granted=_SIGNED_IN),
        )
    ),
    success(
        "GET monitoring/health/",
        "what was checked",
        by="anonymous",
        status=(200, 503),
        answer={"timestamp": TIME, "overall_status": str, "checks": dict},
    ),
    edge(
        "POST monitoring/health/",
        "a method that is not there",
        by="anonymous",
        status=405,
        answer={"detail": str},
        carries={"Allow": str},
    ),
    *permissions("GET monitoring/health/", granted=dict.fromkeys(CALLERS, (200, 503))),
    success("GET test/", "it answers", by="anonymous", answer=dict, example="dashboard/test"),
    edge(
        "DELETE test/",
        "a method that is not there",
        by="anonymous",
        status=405,
        answer={"detail": str},
        carries={"Allow": str},
    ),
    *permissions("GET test/", granted=CALLERS),
    success(
        "POST test/",
        "what was sent",
        by="anonymous",
        json={"hello": "\U0001f9ec"},
        answer=dict,
        example="dashboard/test-echo",
    ),
    refusal(
        "POST test/",
        "broken JSON",
        by="anonymous",
        body=b"{",
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    *permissions("POST test/", granted=CALLERS, json={"hello": "world"}),
    success(
        "GET /health/",
        "it lives",
        by="anonymous",
        answer={"status": "healthy", "timestamp": TIME, "version": str, "environment": str},
    ),
    edge("POST /health/", "nobody writes here", by="anonymous", status=405, carries={"Allow": str}),
    *permissions("GET /health/", granted=CALLERS),
    success(
        "GET /health/ready/",
        "database and cache answer",
        by="anonymous",
        answer={
            "status": str,
            "timestamp": TIME,
            "checks": {"database": "healthy", "cache": "healthy"},
        },
    ),
    edge(
        "POST /health/ready/",
        "nobody writes here",
        by="anonymous",
        status=405,
        carries={"Allow": str},
    ),
    *permissions("GET /health/ready/", granted=CALLERS),
    success(
        "GET schema/",
        "the description of this API, no page",
        by="anonymous",
        query={"format": "json"},
        answer={"openapi": Text(r"^3\."), "paths": dict},
    ),
    refusal(
        "GET schema/",
        "a format that does not exist",
        by="anonymous",
        query={"format": "docx"},
        status=404,
    ),
    *permissions("GET schema/", granted=CALLERS, query={"format": "json"}),
    success(
        "GET docs/",
        "a page to read it",
        by="anonymous",
        carries={"Content-Type": Text("^text/html")},
    ),
    edge("POST docs/", "nobody writes here", by="anonymous", status=(403, 405)),
    *permissions("GET docs/", granted=CALLERS),
]

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": str,
    "Content-Security-Policy": str,
    "X-Request-ID": str,
}
_EVERYWHERE: Final[list[Row]] = [
    edge(
        "GET nowhere/",
        "a path that nothing serves is 404 in JSON, no page",
        by="anonymous",
        status=404,
        answer={"detail": str},
    ),
    edge("GET services/", "the headers that browsers heed", by="anonymous", carries=_HEADERS),
    edge("GET redoc/", "there is no such page", by="anonymous", status=404, answer={"detail": str}),
    edge(
        "GET services/",
        "another site's page may not read it",
        by="researcher",
        headers={"Origin": "https://evil.example"},
        carries={"Access-Control-Allow-Origin": None, "Access-Control-Allow-Credentials": None},
    ),
    edge(
        "GET services/",
        "an answer in XML",
        by="anonymous",
        headers={"Accept": "application/xml"},
        status=406,
        answer={"detail": str},
    ),
    edge(
        "GET services",
        "a path without its last slash is sent on",
        by="anonymous",
        status=301,
        carries={"Location": Text("/api/services/$")},
    ),
    *(
        edge(
            f"{verb} {path}",
            "a method that is not there",
            by="admin",
            status=405,
            answer={"detail": str},
            carries={"Allow": Text("GET|POST")},
        )
        for verb, path in (
            ("DELETE", "services/"),
            ("PUT", "jobs/"),
            ("PATCH", "users/"),
            ("GET", "auth/login/"),
            ("PUT", "auth/logout/"),
            ("POST", "auth/user/"),
            ("POST", "reference-panels/"),
            ("DELETE", "dashboard/stats/"),
            ("POST", "audit-logs/"),
            ("POST", "status-updates/"),
            ("DELETE", "result-files/"),
        )
    ),
    edge(
        "PATCH profiles/{id}/",
        "two values for one key",
        at="profile of researcher",
        by="researcher",
        body=b'{"country": "Mali", "country": "Ghana"}',
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    edge(
        "PATCH profiles/{id}/",
        "a byte that is no UTF-8",
        at="profile of researcher",
        by="researcher",
        body=b'{"country": "\xff"}',
        headers={"Content-Type": "application/json"},
        status=400,
    ),
    edge(
        "PATCH profiles/{id}/",
        "a page of another site, with the user's cookie",
        at="profile of researcher",
        by="researcher",
        json={"country": "Mali"},
        headers={"Origin": "https://evil.example"},
        status=403,
        answer={"detail": str},
    ),
]

ROWS: Final[list[Row]] = [*_DASHBOARD, *_WATCHED, *_EVERYWHERE]
