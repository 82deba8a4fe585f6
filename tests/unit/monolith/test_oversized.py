"""What a real server answers to requests that are too large, before anything is done for them."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
import requests
import uvicorn

from federated_imputation.asgi import application
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)
LOGIN = "/api/auth/login/"
CURL = shutil.which("curl")
MEGABYTE = 1 << 20
# Less and much more than what is read of a refused body.
SIZES = pytest.mark.parametrize("size", [2 * MEGABYTE, 100 * MEGABYTE], ids=["2MB", "100MB"])


@pytest.fixture
def server(settings):
    """The address of the monolith's own application behind uvicorn, in a thread of this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        http="h11",
        h11_max_incomplete_event_size=64 * 1024,
        lifespan="off",
        log_config=None,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture
def connection(server):
    host, port = server
    connection = HTTPConnection(host, port, timeout=20)
    yield connection
    connection.close()


def assert_refused(answer, status, code):
    body = json.loads(answer.read())
    assert answer.status == status
    assert body["code"] == code
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"]
    return body


def test_a_large_body_is_refused_before_it_is_sent(connection):
    connection.putrequest("POST", LOGIN)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(20 << 30))
    connection.putheader("X-Request-ID", "asked-for-1")
    connection.endheaders()
    body = assert_refused(connection.getresponse(), 413, "too_large")
    assert body["request_id"] == "asked-for-1"
    assert body["detail"] == "The request is larger than 1 MB."


def test_a_large_body_without_a_length_is_refused_on_the_way(connection):
    connection.putrequest("POST", LOGIN)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    for _ in range(17):
        connection.send(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
    assert_refused(connection.getresponse(), 413, "too_large")


class Zeros:
    """A body as `requests` takes it, of `size` announced bytes; `sent` were read of it."""

    def __init__(self, size: int) -> None:
        self.len = size
        self.sent = 0

    def read(self, size: int = -1, /) -> bytes:
        left = self.len - self.sent
        size = left if size < 0 else min(size, left)
        self.sent += size
        return bytes(size)


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield bytes(65_536)


@SIZES
@pytest.mark.parametrize("make", [bytes, pieces, Zeros], ids=["whole", "chunked", "streamed"])
def test_a_client_that_sends_before_it_reads_sees_the_refusal(server, make, size):
    host, port = server
    for _ in range(3):
        answer = requests.post(
            f"http://{host}:{port}{LOGIN}",
            data=make(size),
            headers={"Content-Type": "application/json"},
            timeout=20,
        )
        assert answer.status_code == 413
        assert answer.json()["detail"] == "The request is larger than 1 MB."


def test_a_client_that_sends_to_a_full_disk_sees_the_refusal(server, client, settings):
    client.force_login(make_user())
    settings.GENOTYPE_STORAGE_MB = 1 << 40
    host, port = server
    study = Zeros(1 << 55)
    answer = requests.post(
        f"http://{host}:{port}/api/files/",
        data=study,
        cookies={"sessionid": client.cookies["sessionid"].value},
        headers={"Content-Type": "multipart/form-data; boundary=study"},
        timeout=20,
    )
    assert answer.status_code == 507
    assert answer.json()["detail"].startswith("The disk of this server is full")
    assert study.sent < 1 << 30


@SIZES
@pytest.mark.parametrize("expect", ["100-continue", ""])
@pytest.mark.skipif(CURL is None, reason="curl is not installed")
def test_curl_sees_the_refusal(server, tmp_path, expect, size):
    host, port = server
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(size)
    options = ["-sS", "--max-time", "20", "-X", "POST", "-w", "\\n%{http_code}"]
    sent = ["-H", f"Expect: {expect}", "-T", str(body), f"http://{host}:{port}{LOGIN}"]
    done = subprocess.run([str(CURL), *options, *sent], capture_output=True, text=True, check=False)
    answer, _, status = done.stdout.rpartition("\n")
    assert status == "413", done.stderr
    assert json.loads(answer)["detail"] == "The request is larger than 1 MB."


def test_the_rest_of_a_refused_body_is_nobodys_next_request(server):
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = f"POST {LOGIN} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {2 << 20}\r\n\r\n"
    with socket.create_connection(server, timeout=20) as raw:
        raw.sendall(head.encode() + smuggled + bytes((2 << 20) - len(smuggled)) + smuggled)
        received = b"".join(iter(lambda: raw.recv(1 << 16), b""))
    assert received.startswith(b"HTTP/1.1 413")
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"alive" not in received


def test_a_long_address_is_refused(connection):
    connection.request("GET", f"/api/services/?search={'x' * 9_000}")
    assert_refused(connection.getresponse(), 414, "uri_too_long")


def test_large_headers_are_refused(connection):
    connection.request("GET", "/api/services/", headers={"X-Large": "x" * 40_000})
    assert_refused(connection.getresponse(), 431, "headers_too_large")


def test_many_headers_are_refused(connection):
    many = {f"X-Header-{number}": "x" * 20 for number in range(1_200)}
    connection.request("GET", "/api/services/", headers=many)
    assert_refused(connection.getresponse(), 431, "headers_too_large")


@pytest.mark.parametrize("ending", [b"", b"\r\n\r\n"])
def test_headers_without_an_end_are_hung_up_on(server, ending):
    with socket.create_connection(server, timeout=20) as raw:
        try:
            raw.sendall(b"GET /api/services/ HTTP/1.1\r\nHost: localhost\r\nX-Large: ")
            for _ in range(32):
                raw.sendall(b"x" * 32_768)
            raw.sendall(ending)
            received = raw.recv(1 << 16)
        except ConnectionError:
            return
    assert received.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "target", [b"/api/services/?search=\xff", b"/api/services/?search=\xc3\xa9", b"/api/\xff/"]
)
def test_an_address_that_is_not_ascii_is_refused(server, target):
    with socket.create_connection(server, timeout=20) as raw:
        raw.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = HTTPResponse(raw)
        answer.begin()
        assert answer.status == 400


def test_nobody_is_let_in_by_the_address_of_a_header(connection):
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 404


def test_after_a_refusal_the_server_serves_on(connection, server):
    test_a_long_address_is_refused(connection)
    host, port = server
    again = HTTPConnection(host, port, timeout=20)
    again.request("GET", "/healthz")
    assert again.getresponse().status == 200
    again.close()
