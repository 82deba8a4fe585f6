"""Nothing of the legacy API is without rows, and nothing of ours is without a name."""

import re
from collections import Counter

import pytest

from apps.contracts.examples import load
from tests.contract.row import CALLERS
from tests.contract.rows import ENDPOINTS, ROWS
from tests.contract.scene import Scene

pytestmark = pytest.mark.timeout(900)  # whichever is first waits for the server

_PARAMETER = re.compile(r"\{\w+\}")
# How the paths of those begin that the legacy system had not.
ADDED = (
    "/.well-known/",
    "auth/api-tokens/",
    "auth/change-password/",
    "auth/token/",
    "batches/",
    "files/",
    "jobs/multi_service/",
    "jobs/{}/reveal_password/",
    "parent-jobs/",
    "scheduled/",
    "services/{}/sync_status/",
    "templates/",
    "user-access/",
)
# Of these no request can be wrong.
NEVER_REFUSED = frozenset(
    {"GET /health/", "GET /health/ready/", "GET docs/", "GET monitoring/health/", "GET test/"}
)


def test_every_endpoint_has_a_success_a_refusal_and_a_permission():
    kinds = Counter((row.endpoint, row.kind) for row in ROWS)
    missing = {
        (endpoint, kind)
        for endpoint in ENDPOINTS
        for kind in ("success", "refusal", "permission")
        if not kinds[endpoint, kind] and not (kind == "refusal" and endpoint in NEVER_REFUSED)
    }
    assert missing == set()


def test_every_endpoint_is_asked_by_every_kind_of_caller():
    asked: dict[str, set[str]] = {endpoint: set() for endpoint in ENDPOINTS}
    for row in ROWS:
        if row.kind == "permission":
            asked[row.endpoint] |= {row.caller.removeprefix("fresh ")}
    lacking = {
        endpoint: set(CALLERS) - callers
        for endpoint, callers in asked.items()
        if not set(CALLERS) <= callers and endpoint != "POST auth/login/"
    }
    assert lacking == {}


def test_rows_have_names_of_their_own_and_endpoints_that_are_listed():
    names = Counter(row.name for row in ROWS)
    assert [name for name, number in names.items() if number > 1] == []
    judged = {row.endpoint for row in ROWS if row.kind != "edge"}
    assert judged - set(ENDPOINTS) == set()


def test_every_recorded_example_is_that_of_a_row():
    named = {row.example for row in ROWS if row.example}
    domains = {name.partition("/")[0] for name in named}
    recorded = {f"{domain}/{name}" for domain in domains for name in load(domain)}
    assert recorded == named


def test_every_route_of_the_server_is_in_the_list_or_a_named_addition(scene: Scene):
    scene.begin()
    paths = scene.ask("anonymous", "GET", "schema/", params={"format": "json"})["paths"]
    served = {
        f"{method.upper()} {_PARAMETER.sub('{}', path.removeprefix('/api/'))}"
        for path, methods in paths.items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }
    listed = {_PARAMETER.sub("{}", endpoint) for endpoint in ENDPOINTS}
    undescribed = {"GET schema/", "GET docs/"}
    unknown = served - listed
    assert {route for route in unknown if not route.partition(" ")[2].startswith(ADDED)} == set()
    assert listed - served - undescribed == set()
