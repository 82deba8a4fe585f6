"""What a probe asks, and what it makes of the answers; against a real server."""

import json
import socket
from dataclasses import replace

import pytest

from apps.federation.probing import Status, Target, probe, probe_all
from apps.shared.http.client import LIMITS, GuardedClient
from tests.answering_server import AnsweringServer
from tests.michigan_server import MichiganServer

SERVER = "/api/v2/server"
INFO = "/ga4gh/wes/v1/service-info"
WES = json.dumps({"supported_wes_versions": ["1.0.0"]}).encode()
SECRET = b"TOP-SECRET of the metadata service"


def found(api_type, answers, *, path=""):
    with AnsweringServer(answers) as server:
        client = GuardedClient(allow=frozenset({server.target}))
        finding = probe(Target(api_type=api_type, api_url=server.url + path), client=client)
        asked = list(server.paths)
        assert not {"authorization", "x-auth-token", "cookie"} & set(server.headers)
    assert finding.test_url == server.url + asked[-1]
    return finding, asked


def michigan(**fields):
    return json.dumps({"apps": [], **fields}).encode()


@pytest.mark.parametrize(
    ("answers", "status", "asked"),
    [
        ({SERVER: (200, michigan(maintenace=False))}, Status.HEALTHY, [SERVER]),
        ({SERVER: (401, b"")}, Status.HEALTHY, [SERVER]),
        ({"/api/": (401, b"")}, Status.HEALTHY, [SERVER, "/api/"]),
        ({SERVER: (200, b"<html>welcome"), "/api/": (401, b"")}, Status.HEALTHY, [SERVER, "/api/"]),
        ({SERVER: (200, b"<html>welcome")}, Status.UNHEALTHY, [SERVER, "/api/"]),
        ({SERVER: (200, b'{"a": 1}')}, Status.UNHEALTHY, [SERVER, "/api/"]),
        ({}, Status.UNHEALTHY, [SERVER, "/api/"]),
        ({SERVER: (502, b"bad gateway")}, Status.UNHEALTHY, [SERVER]),
        ({SERVER: (200, michigan(maintenace=True))}, Status.MAINTENANCE, [SERVER]),
        (
            {SERVER: (503, b'{"message": "This functionality is currently under maintenance."}')},
            Status.MAINTENANCE,
            [SERVER],
        ),
        ({SERVER: (503, b'{"message": "No database."}')}, Status.UNHEALTHY, [SERVER]),
        ({SERVER: (200, b"[" * 100_000)}, Status.UNHEALTHY, [SERVER, "/api/"]),
        ({SERVER: (200, b" " * 2**19)}, Status.UNHEALTHY, [SERVER, "/api/"]),
    ],
)
def test_michigan_server_is_judged_by_what_it_says_of_itself(answers, status, asked):
    finding, paths = found("michigan", answers)
    assert (finding.status, paths) == (status, asked)


@pytest.mark.parametrize("path", ["", "/", "/ga4gh/wes/v1", "/ga4gh/wes/v1/", INFO])
def test_service_info_is_asked_for_at_one_path_however_the_address_ends(path):
    finding, paths = found("ga4gh", {INFO: (200, WES)}, path=path)
    assert (finding.status, paths) == (Status.HEALTHY, [INFO])


def test_service_info_is_found_at_the_root():
    finding, paths = found("ga4gh", {"/service-info": (200, WES)})
    assert (finding.status, paths) == (Status.HEALTHY, [INFO, "/service-info"])


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"null"])
def test_something_else_is_no_wes_server(body):
    finding, _ = found("ga4gh", {INFO: (200, body), "/service-info": (200, body)})
    assert finding.status == Status.UNHEALTHY
    assert finding.message == "Something else answers at this address."


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, "healthy"), (302, "healthy"), (401, "healthy"), (404, "unhealthy"), (500, "unhealthy")],
)
def test_dnastack_is_reachable_when_it_answers_or_asks_who_it_is(status, expected):
    finding, paths = found("dnastack", {"/": (status, SECRET)}, path="/")
    assert (finding.status, paths) == (expected, ["/"])


def test_other_apis_are_asked_for_their_health():
    assert found("custom", {"/health": (200, b"")})[0].status == Status.HEALTHY
    assert found("custom", {})[0].status == Status.UNHEALTHY


@pytest.mark.parametrize("api_type", ["michigan", "ga4gh", "dnastack", "custom"])
@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_nothing_of_what_was_fetched_is_repeated(api_type, status):
    body = json.dumps({"message": SECRET.decode(), "maintenaceMessage": SECRET.decode()}).encode()
    answers = dict.fromkeys(("/", SERVER, "/api/", INFO, "/health"), (status, body))
    assert SECRET.decode() not in str(found(api_type, answers, path="/")[0])


def test_real_michigan_protocol_without_a_token_is_up():
    with MichiganServer() as server:
        client = GuardedClient(allow=frozenset({server.target}))
        finding = probe(Target(api_type="michigan", api_url=server.url), client=client)
    assert finding.status == Status.HEALTHY
    assert finding.response_time_ms is not None


def test_nobody_there_is_unhealthy_without_a_time():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        client = GuardedClient(allow=frozenset({target}))
        finding = probe(Target(api_type="michigan", api_url=f"http://{target}"), client=client)
    assert (finding.status, finding.response_time_ms) == (Status.UNHEALTHY, None)
    assert finding.error == f"{target} does not accept connections."


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254", "http://127.0.0.1:5432", "https://u:p@example.org", "file:///"],
)
def test_addresses_that_the_guard_refuses_are_not_called(url):
    finding = probe(Target(api_type="michigan", api_url=url), client=GuardedClient())
    assert finding.status == Status.UNHEALTHY
    assert "u:p" not in str(finding)


def test_silent_service_is_a_timeout():
    with AnsweringServer({}) as server:
        server.gate.clear()
        limits = {**LIMITS, "probe": replace(LIMITS["probe"], idle=0.2)}
        client = GuardedClient(allow=frozenset({server.target}), limits=limits)
        finding = probe(Target(api_type="dnastack", api_url=server.url), client=client)
    assert finding.status == Status.TIMEOUT


def test_together_they_take_no_longer_than_allowed_and_those_behind_them_are_left_out():
    with AnsweringServer({SERVER: (401, b"")}) as slow:
        slow.gate.clear()
        client = GuardedClient(allow=frozenset({slow.target}))
        targets = {n: Target(api_type="michigan", api_url=slow.url) for n in range(12)}
        findings = probe_all(targets, client=client, within=0.5)
    assert findings.keys() == set(range(8))
    assert {finding.status for finding in findings.values()} == {Status.TIMEOUT}


def test_one_slow_service_does_not_hide_the_others():
    with AnsweringServer({}) as slow, AnsweringServer({SERVER: (401, b"")}) as fast:
        slow.gate.clear()
        client = GuardedClient(allow=frozenset({slow.target, fast.target}))
        targets = {
            1: Target(api_type="michigan", api_url=slow.url),
            2: Target(api_type="michigan", api_url=fast.url),
        }
        findings = probe_all(targets, client=client, within=1)
    assert {key: finding.status for key, finding in findings.items()} == {
        1: Status.TIMEOUT,
        2: Status.HEALTHY,
    }
