"""Reads that share a connection, against a server that does with each what a test says."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest

from apps.shared.http.client import LIMITS, GuardedClient
from apps.shared.http.errors import Cut, TimedOut
from apps.shared.http.keeping import Connections
from apps.shared.http.transport import Limits
from tests.servers import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
LAST = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
HALF = OK[:-2]
NOTHING = b""


@dataclass
class Peer:
    """A server; `script` holds, for each connection in turn, its answers before it is closed."""

    script: list[list[bytes]]
    requests: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.target = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.target}/"
        self.closed = [threading.Event() for _ in self.script]

    def serve(self, listener: socket.socket, opened: ExitStack) -> None:
        for number, answers in enumerate(self.script):
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(number, connection, answers)).start()
            opened.callback(connection.close)

    def _answer(self, number: int, connection: socket.socket, answers: list[bytes]) -> None:
        with suppress(OSError), connection:
            connection.settimeout(10)
            for answer in answers:
                request = b""
                while b"\r\n\r\n" not in request:
                    block = connection.recv(65536)
                    if not block:
                        break
                    request += block
                else:
                    self.requests.append((number, request))
                    connection.sendall(answer)
        self.closed[number].set()

    @property
    def connections(self) -> list[int]:
        """Which connection each request came over."""
        return [number for number, _ in self.requests]


@pytest.fixture
def running() -> Iterator[Callable[..., Peer]]:
    with ExitStack() as ending:

        def start(*script: list[bytes]) -> Peer:
            peer = Peer(list(script))
            host, port = peer.target.split(":")
            listener = ending.enter_context(socket.create_server((host, int(port))))
            opened = ending.enter_context(ExitStack())
            threading.Thread(target=peer.serve, args=(listener, opened), daemon=True).start()
            return peer

        yield start


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def client_of(peer: Peer, kept: Connections) -> GuardedClient:
    return GuardedClient(allow=frozenset({peer.target}), kept=kept)


@pytest.fixture
def kept() -> Iterator[Connections]:
    kept = Connections()
    yield kept
    kept.close()


def test_reads_share_a_connection(running, kept):
    peer = running([OK, OK, OK])
    client = client_of(peer, kept)

    assert [client.call("GET", peer.url).body for _ in range(3)] == [b"hello"] * 3
    assert peer.connections == [0, 0, 0]
    assert all(b"\r\nConnection: keep-alive\r\n" in request for _, request in peer.requests)


def test_without_kept_connections_each_call_has_its_own(running):
    peer = running([OK], [OK])
    client = GuardedClient(allow=frozenset({peer.target}))

    client.call("GET", peer.url)
    client.call("GET", peer.url)

    assert peer.connections == [0, 1]
    assert b"\r\nConnection: close\r\n" in peer.requests[0][1]


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("POST", {"body": b"x"}), ("POST", {}), ("DELETE", {}), ("GET", {"kind": "download"})],
)
def test_what_is_no_short_read_never_shares(running, kept, method, arguments):
    peer = running([OK, OK], [OK], [OK])
    client = client_of(peer, kept)

    client.call("GET", peer.url)
    client.call(method, peer.url, **arguments)
    client.call("GET", peer.url)

    assert peer.connections == [0, 1, 0]


def test_a_connection_that_was_closed_meanwhile_is_not_used(running, kept):
    peer = running([OK], [OK])
    client = client_of(peer, kept)

    client.call("GET", peer.url)
    peer.closed[0].wait(10)

    assert client.call("GET", peer.url).body == b"hello"
    assert peer.connections == [0, 1]


def test_a_read_whose_connection_dies_as_it_is_used_is_made_again(running, kept):
    peer = running([OK, NOTHING], [OK])
    client = client_of(peer, kept)

    client.call("GET", peer.url)

    assert client.call("GET", peer.url).body == b"hello"
    assert peer.connections == [0, 0, 1]


def test_it_is_made_again_once(running, kept):
    peer = running([OK, NOTHING], [NOTHING])
    client = client_of(peer, kept)

    client.call("GET", peer.url)

    with pytest.raises(Cut):
        client.call("GET", peer.url)
    assert peer.connections == [0, 0, 1]


def test_an_answer_that_breaks_off_is_not_asked_for_again(running, kept):
    peer = running([OK, HALF], [OK])
    client = client_of(peer, kept)

    client.call("GET", peer.url)

    with pytest.raises(Cut):
        client.call("GET", peer.url)
    assert client.call("GET", peer.url).body == b"hello"
    assert peer.connections == [0, 0, 1]


def test_silence_on_a_kept_connection_is_a_time_out(running, kept):
    peer = running([OK, b"HTTP/1.1 200 OK\r\n", OK])
    impatient = Limits(connect=5, write=5, idle=0.2, total=5, answer=99)
    client = GuardedClient(
        allow=frozenset({peer.target}), kept=kept, limits={**LIMITS, "call": impatient}
    )

    client.call("GET", peer.url)

    with pytest.raises(TimedOut):
        client.call("GET", peer.url)


def test_a_server_that_says_close_is_believed(running, kept):
    peer = running([LAST, OK], [OK])
    client = client_of(peer, kept)

    client.call("GET", peer.url)
    client.call("GET", peer.url)

    assert peer.connections == [0, 1]


def test_an_answer_left_unread_ends_its_connection(running, kept):
    peer = running([OK, OK], [OK])
    client = client_of(peer, kept)

    with client.open("GET", peer.url):
        pass
    client.call("GET", peer.url)

    assert peer.connections == [0, 1]


def test_bytes_behind_an_answer_are_nobody_elses(running, kept):
    peer = running([OK + OK, OK], [OK])
    client = client_of(peer, kept)

    for _ in range(2):
        assert client.call("GET", peer.url).body == b"hello"

    # They came with the first answer: left with its buffer, or seen before the next request.
    assert len(peer.requests) == 2


def test_idle_connections_are_let_go(running):
    clock = Clock()
    peer = running([OK, OK], [OK])
    kept = Connections(seconds=4, clock=clock)
    client = client_of(peer, kept)

    client.call("GET", peer.url)
    clock.now = 4.5
    client.call("GET", peer.url)
    kept.close()

    assert peer.connections == [0, 1]


def test_no_more_are_kept_than_allowed(running):
    peer = running([OK, OK], [OK, OK], [OK])
    kept = Connections(most=1)
    client = client_of(peer, kept)

    with client.open("GET", peer.url) as first, client.open("GET", peer.url) as second:
        for answer in (first, second):
            assert b"".join(answer.blocks()) == b"hello"

    assert peer.closed[1].wait(10)
    client.call("GET", peer.url)
    kept.close()
    assert peer.connections == [0, 1, 0]


def test_an_address_that_is_no_longer_allowed_is_not_reached_over_a_kept_connection(running, kept):
    peer = running([OK, OK], [OK])
    client_of(peer, kept).call("GET", peer.url)
    strict = GuardedClient(kept=kept, resolve=lambda host, port: ["127.0.0.1"])

    with pytest.raises(Exception, match="address"):
        strict.call("GET", peer.url, confidential=False)
    assert peer.connections == [0]


def test_a_child_process_makes_its_own(running, kept):
    peer = running([OK, OK], [OK])
    client = client_of(peer, kept)
    client.call("GET", peer.url)

    child = os.fork()
    if child == 0:
        body = b""
        with suppress(BaseException):
            body = client.call("GET", peer.url).body
        os._exit(0 if body == b"hello" else 1)
    _, status = os.waitpid(child, 0)

    assert (os.waitstatus_to_exitcode(status), peer.connections) == (0, [0, 1])
