"""Services and reference panels."""

from typing import Any, Final

from tests.contract.matching import ANY, Each, Not, page
from tests.contract.row import (
    CALLERS,
    Row,
    call,
    edge,
    invalid,
    permissions,
    race,
    refusal,
    success,
    the,
)
from tests.contract.rows.shapes import PANEL, SERVICE

__all__ = ["ROWS"]

_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]
_ADMIN: Final = ["admin"]
_ONE: Final = "services/{id}/"
_NEW: Final[dict[str, Any]] = {"**": the("service input"), "name": the("new name")}

_READ: Final[list[Row]] = [
    success(
        "GET services/",
        "the active ones",
        by="anonymous",
        answer=page({**SERVICE, "is_active": True}, least=1),
        example="registry/services",
    ),
    success(
        "GET services/",
        "of one type",
        by="anonymous",
        query={"service_type": "michigan"},
        answer=page({**SERVICE, "service_type": "michigan"}),
    ),
    success(
        "GET services/",
        "of one API",
        by="anonymous",
        query={"api_type": "ga4gh"},
        answer=page({**SERVICE, "api_type": "ga4gh"}),
    ),
    success(
        "GET services/",
        "that a search finds",
        by="anonymous",
        query={"search": the("name of service")},
        answer=page({**SERVICE, "name": the("name of service")}, least=1),
    ),
    refusal(
        "GET services/",
        "a switch that is none",
        by="anonymous",
        query={"is_active": "perhaps"},
        status=400,
    ),
    *(
        refusal(
            "GET services/",
            f"page {title}",
            by="anonymous",
            query={"page": value},
            status=404,
            answer={"detail": str},
        )
        for title, value in (("0", 0), ("-1", -1), ("beyond the end", 9_999), ("a word", "two"))
    ),
    refusal(
        "GET services/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers={"Authorization": "Bearer nonsense"},
        carries={"WWW-Authenticate": str},
    ),
    *permissions("GET services/", granted=CALLERS),
    edge(
        "GET services/",
        "a search for letters that combine",
        by="anonymous",
        query={"search": "e\u0301\U0001f9ec"},
        answer={"count": 0, "next": None},
    ),
    edge("HEAD services/", "as GET, without a body", by="anonymous"),
    success(
        f"GET {_ONE}",
        "one",
        at="service",
        by="anonymous",
        answer={**SERVICE, "id": the("service")},
        example="registry/service",
    ),
    *(
        refusal(f"GET {_ONE}", title, at=at, by="anonymous", status=404, answer={"detail": str})
        for title, at in (
            ("an unknown one", "no id"),
            ("0", "zero"),
            ("a word", "malformed id"),
            ("-1", "minus one"),
            ("a number of 30 digits", "huge id"),
        )
    ),
    *permissions(f"GET {_ONE}", granted=CALLERS, at="service"),
    success(
        f"GET {_ONE}reference_panels/",
        "an array",
        at="service",
        by="researcher",
        answer=Each({**PANEL, "service": the("service")}, least=1),
        example="registry/service-panels",
    ),
    success(
        f"GET {_ONE}reference_panels/",
        "of one population and build",
        at="service",
        by="researcher",
        query={"population": the("population of panel"), "build": "hg38"},
        answer=Each({**PANEL, "build": "hg38"}),
    ),
    refusal(
        f"GET {_ONE}reference_panels/", "of an unknown one", at="no id", by="researcher", status=404
    ),
    *permissions(f"GET {_ONE}reference_panels/", granted=_SIGNED_IN, at="service"),
    success(
        "GET reference-panels/",
        "the active ones",
        by="anonymous",
        answer=page({**PANEL, "is_active": True}, least=1),
        example="registry/panels",
    ),
    success(
        "GET reference-panels/",
        "of one service, population and build",
        by="anonymous",
        query={
            "service": the("service"),
            "population": the("population of panel"),
            "build": "hg38",
        },
        answer=page({**PANEL, "service": the("service"), "build": "hg38"}, least=1),
    ),
    refusal(
        "GET reference-panels/",
        "a service that is no number",
        by="anonymous",
        query={"service": "umich"},
        status=400,
    ),
    refusal(
        "GET reference-panels/",
        "a page beyond the end",
        by="anonymous",
        query={"page": 9_999},
        status=404,
    ),
    *permissions("GET reference-panels/", granted=CALLERS),
    success(
        "GET reference-panels/{id}/",
        "one",
        at="panel",
        by="anonymous",
        answer={**PANEL, "id": the("panel")},
        example="registry/panel",
    ),
    refusal("GET reference-panels/{id}/", "an unknown one", at="no id", by="anonymous", status=404),
    refusal("GET reference-panels/{id}/", "a word", at="malformed id", by="anonymous", status=404),
    *permissions("GET reference-panels/{id}/", granted=CALLERS, at="panel"),
]

_WRONG: Final = (
    ("a name of two letters", "name", {"name": "ab"}),
    ("a name of 101 letters", "name", {"name": "x" * 101}),
    ("an address that is none", "api_url", {"api_url": "imputation.example.org"}),
    ("an address of another scheme", "api_url", {"api_url": "ftp://imputation.example.org"}),
    ("no room for files", "max_file_size_mb", {"max_file_size_mb": 0}),
    ("files of more than 10,000 MB", "max_file_size_mb", {"max_file_size_mb": 10_001}),
    ("a format that is none", "supported_formats", {"supported_formats": ["docx"]}),
    ("a type that is none", "service_type", {"service_type": "hogwarts"}),
    ("an API that is none", "api_type", {"api_type": "soap"}),
)

_WRITE: Final[list[Row]] = [
    success(
        "POST services/",
        "a service",
        by="admin",
        json=_NEW,
        status=201,
        answer={"message": str, "service": {**SERVICE, "name": the("new name")}},
        example="registry/service-created",
    ),
    *(
        success(
            "POST services/",
            f"{service_type} that speaks {api_type}",
            by="admin",
            status=201,
            json={**_NEW, "service_type": service_type, "api_type": api_type},
            answer={"service": {"service_type": service_type, "api_type": api_type}},
        )
        for service_type, api_type in (
            ("h3africa", "ga4gh"),
            ("h3africa", "michigan"),
            ("dnastack", "dnastack"),
            ("dnastack", "ga4gh"),
        )
    ),
    *(
        invalid(
            "POST services/",
            title,
            field,
            by="admin",
            json={**_NEW, **sent},
            example="registry/service-refused" if field == "api_url" and "none" in title else "",
        )
        for title, field, sent in _WRONG
    ),
    *(
        invalid("POST services/", f"no {name}", name, by="admin", json={})
        for name in ("name", "service_type", "api_type", "api_url")
    ),
    refusal(
        "POST services/",
        "a pair that is not allowed",
        by="admin",
        status=400,
        json={**_NEW, "service_type": "michigan", "api_type": "ga4gh"},
    ),
    invalid(
        "POST services/",
        "a name that is taken",
        "name",
        by="admin",
        json={**_NEW, "name": the("name of service")},
    ),
    *permissions("POST services/", granted=_ADMIN, status=201, json=_NEW),
    edge(
        "POST services/",
        "a name of letters that combine, from right to left",
        by="admin",
        json={**_NEW, "name": the("new name from right to left")},
        status=201,
        answer={"service": {"name": the("new name from right to left")}},
    ),
    edge(
        "POST services/",
        "a NUL in the name",
        by="admin",
        json={**_NEW, "name": "abc\0d"},
        status=400,
        answer={"name": ANY},
    ),
    race(
        "POST services/",
        "four at once with one name",
        *(call("POST services/", by="admin", json=_NEW, status=201) for _ in range(4)),
        answers=[{201: 1, 400: 3}],
    ),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} {_ONE}",
                "its description",
                at="new service",
                by="admin",
                json={**_NEW, "description": "Changed"},
                answer={
                    "message": str,
                    "service": {**SERVICE, "description": "Changed", "id": the("new service")},
                },
            ),
            *(
                invalid(
                    f"{verb} {_ONE}",
                    title,
                    field,
                    at="new service",
                    by="admin",
                    json={**_NEW, **sent},
                )
                for title, field, sent in _WRONG
            ),
            refusal(
                f"{verb} {_ONE}", "an unknown one", at="no id", by="admin", json=_NEW, status=404
            ),
            *permissions(
                f"{verb} {_ONE}",
                granted=_ADMIN,
                at="new service",
                json={**_NEW, "description": "Changed"},
            ),
        )
    ),
    race(
        f"PATCH {_ONE}",
        "two changes of two fields: none is lost",
        call(
            f"PATCH {_ONE}", at="new service", by="admin", json={"description": "Told"}, status=200
        ),
        call(
            f"PATCH {_ONE}",
            at="new service",
            by="administrator",
            json={"location": "Bamako"},
            status=200,
        ),
        answers=[{200: 2}],
        then=[
            call(
                f"GET {_ONE}",
                at="new service",
                by="admin",
                status=200,
                answer={"description": "Told", "location": "Bamako"},
            )
        ],
    ),
    success(
        f"DELETE {_ONE}",
        "softly: it is inactive",
        at="new service",
        by="admin",
        then=[
            call(
                f"GET {_ONE}", at="new service", by="admin", status=200, answer={"is_active": False}
            ),
            call(
                "GET services/",
                by="anonymous",
                status=200,
                answer={"results": Not({"id": the("new service")})},
            ),
        ],
    ),
    success(
        f"DELETE {_ONE}",
        "by force: it is gone",
        at="new service",
        by="admin",
        query={"force": "true"},
        status=204,
        then=[call(f"GET {_ONE}", at="new service", by="admin", status=404)],
    ),
    refusal(
        f"DELETE {_ONE}",
        "one whose jobs are not over",
        at="service",
        by="admin",
        first=[call("GET jobs/{id}/", at="new job", by="researcher", status=200)],
        query={"force": "true"},
        status=400,
        alone=True,
    ),
    refusal(f"DELETE {_ONE}", "an unknown one", at="no id", by="admin", status=404),
    *permissions(f"DELETE {_ONE}", granted=_ADMIN, at="new service"),
]

_BULK: Final[list[Row]] = [
    success(
        "POST services/bulk_create/",
        "two",
        by="admin",
        status=(200, 201),
        json={
            "services": [
                {**_NEW, "name": the("new name")},
                {**_NEW, "name": the("new second name")},
            ]
        },
        answer=dict,
        example="registry/services-bulk-created",
    ),
    refusal("POST services/bulk_create/", "nothing", by="admin", json={}, status=400),
    refusal(
        "POST services/bulk_create/",
        "what is no list",
        by="admin",
        json={"services": "all"},
        status=400,
    ),
    *permissions("POST services/bulk_create/", granted={"admin": 400}, json={"services": []}),
    success(
        "PATCH services/bulk_update/",
        "two",
        by="admin",
        json={
            "updates": [
                {"id": the("new service"), "data": {"location": "Bamako"}},
                {"id": the("new second service"), "data": {"location": "Accra"}},
            ]
        },
        answer=dict,
        then=[
            call(
                f"GET {_ONE}",
                at="new service",
                by="admin",
                status=200,
                answer={"location": "Bamako"},
            )
        ],
        example="registry/services-bulk-updated",
    ),
    refusal("PATCH services/bulk_update/", "nothing", by="admin", json={}, status=400),
    *permissions("PATCH services/bulk_update/", granted={"admin": 400}, json={"updates": []}),
    success(
        "DELETE services/bulk_delete/",
        "two, softly",
        by="admin",
        json={"service_ids": [the("new service"), the("new second service")]},
        answer=dict,
        then=[
            call(
                f"GET {_ONE}", at="new service", by="admin", status=200, answer={"is_active": False}
            )
        ],
        example="registry/services-bulk-deleted",
    ),
    success(
        "DELETE services/bulk_delete/",
        "two, by force: they are gone",
        by="admin",
        json={
            "service_ids": [the("new service"), the("new second service")],
            "force_delete": True,
        },
        answer={"deleted_count": 2},
        then=[
            call(f"GET {_ONE}", at="new service", by="admin", status=404),
            call(f"PATCH {_ONE}", at="new service", by="admin", json={}, status=404),
            call(f"DELETE {_ONE}", at="new service", by="admin", status=404),
        ],
    ),
    refusal("DELETE services/bulk_delete/", "nothing", by="admin", json={}, status=400),
    *permissions("DELETE services/bulk_delete/", granted={"admin": 400}, json={"service_ids": []}),
]

_HEALTH: Final = {
    "service_id": int,
    "service_name": str,
    "status": str,
    "message": str,
    "cache_info": dict,
}
_WORK: Final[list[Row]] = [
    success(
        f"POST {_ONE}sync_reference_panels/",
        "of a service",
        at="new service",
        by="admin",
        status=202,
        answer={"message": str, "task_id": str},
        example="registry/panels-synchronised",
    ),
    refusal(
        f"POST {_ONE}sync_reference_panels/",
        "of an unknown one",
        at="no id",
        by="admin",
        status=404,
    ),
    *permissions(
        f"POST {_ONE}sync_reference_panels/", granted=_SIGNED_IN, status=202, at="new service"
    ),
    success(
        f"GET {_ONE}health/",
        "always 200",
        at="new service",
        by="researcher",
        answer={**_HEALTH, "service_id": the("new service")},
    ),
    refusal(f"GET {_ONE}health/", "of an unknown one", at="no id", by="researcher", status=404),
    *permissions(f"GET {_ONE}health/", granted=_SIGNED_IN, at="own service"),
    success("GET services/health_all/", "of all", by="researcher", answer=dict),
    refusal(
        "GET services/health_all/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers={"Authorization": "Bearer nonsense"},
    ),
    *permissions("GET services/health_all/", granted=_SIGNED_IN),
    success(
        f"GET {_ONE}cache_info/",
        "of a service",
        at="new service",
        by="researcher",
        answer=dict,
        example="registry/cache-info",
    ),
    refusal(f"GET {_ONE}cache_info/", "of an unknown one", at="no id", by="researcher", status=404),
    *permissions(f"GET {_ONE}cache_info/", granted=_SIGNED_IN, at="own service"),
    success(
        f"POST {_ONE}clear_cache/",
        "of a service",
        at="own service",
        by="admin",
        answer={"message": str},
    ),
    refusal(f"POST {_ONE}clear_cache/", "of an unknown one", at="no id", by="admin", status=404),
    *permissions(f"POST {_ONE}clear_cache/", granted=_SIGNED_IN, at="own service"),
    success("GET services/cache_stats/", "of all", by="researcher", answer=dict),
    refusal(
        "GET services/cache_stats/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers={"Authorization": "Bearer nonsense"},
    ),
    *permissions("GET services/cache_stats/", granted=_SIGNED_IN),
    success("POST services/clear_all_cache/", "of all", by="admin", answer={"message": str}),
    refusal(
        "POST services/clear_all_cache/",
        "a token that is none",
        by="anonymous",
        status=401,
        headers={"Authorization": "Bearer nonsense"},
    ),
    *permissions("POST services/clear_all_cache/", granted=_ADMIN),
]

ROWS: Final[list[Row]] = [*_READ, *_WRITE, *_BULK, *_WORK]
