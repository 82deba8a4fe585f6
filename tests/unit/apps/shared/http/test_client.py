"""The client over real sockets on loopback. Names resolve to what a test says, and connections to
public addresses are led to a local server, so that nothing leaves the machine."""

import contextlib
import datetime
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from apps.shared.http.client import LIMITS, GuardedClient
from apps.shared.http.configured import from_settings
from apps.shared.http.errors import Cut, NotConnected, Refused, TimedOut, TooLarge
from apps.shared.http.transport import dial
from tests.servers import free_port

PUBLIC = "93.184.216.34"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: test\r\n\r\nhello"


@dataclass
class Peer:
    """A server that reads one request a connection and answers the bytes it was given."""

    answer: bytes | Callable[[socket.socket], None] = OK
    tls: ssl.SSLContext | None = None
    requests: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.target}"
        self.ending = threading.Event()

    def serve(self, listener: socket.socket) -> None:
        while not self.ending.is_set():
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                plain = connection
                if self.tls is not None:
                    connection = self.tls.wrap_socket(plain, server_side=True)
                with connection:
                    self.exchange(connection)

    def exchange(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            block = connection.recv(65536)
            if not block:
                return
            request += block
        self.requests.append(request)
        if callable(self.answer):
            self.answer(connection)
        else:
            connection.sendall(self.answer)


@contextlib.contextmanager
def running(peer: Peer) -> Iterator[Peer]:
    with socket.create_server(("127.0.0.1", peer.port)) as listener:
        thread = threading.Thread(target=peer.serve, args=(listener,))
        thread.start()
        yield peer
        peer.ending.set()
        socket.create_connection(("127.0.0.1", peer.port)).close()
        thread.join()


@pytest.fixture
def peer():
    with running(Peer()) as peer:
        yield peer


@pytest.fixture
def client(peer):
    return GuardedClient(allow=frozenset({peer.target}))


@dataclass
class Internet:
    """Names, and where connections to public addresses really go."""

    port: int
    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def dial(self, address: str, port: int, timeout: float) -> socket.socket:
        self.dialled.append(address)
        return dial("127.0.0.1", self.port, timeout)


def test_an_answer_comes_with_status_headers_and_body(client, peer):
    answer = client.call("GET", f"{peer.url}/path?query=1", headers={"Accept": "text/plain"})

    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["x-kind"] == "test"
    assert peer.requests[0].startswith(b"GET /path?query=1 HTTP/1.1\r\n")
    assert b"\r\nAccept: text/plain\r\n" in peer.requests[0]


def test_the_request_id_is_passed_on(peer):
    client = GuardedClient(allow=frozenset({peer.target}), request_id=lambda: "id-12345678")

    client.call("GET", peer.url)

    assert b"\r\nX-Request-ID: id-12345678\r\n" in peer.requests[0]


def test_no_cookie_is_kept(client, peer):
    peer.answer = OK.replace(b"X-Kind: test", b"Set-Cookie: session=1; Path=/")

    client.call("GET", peer.url)
    client.call("GET", peer.url)

    assert b"cookie" not in peer.requests[1].lower()


def test_no_redirect_is_followed(client, peer):
    peer.answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"

    answer = client.call("GET", peer.url)

    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert len(peer.requests) == 1


def test_the_environment_sets_no_proxy_and_no_login(client, peer, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login amina password secret\n")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(netrc))

    assert client.call("GET", peer.url).body == b"hello"
    assert b"authorization" not in peer.requests[0].lower()


def test_a_body_is_sent_with_its_length(client, peer):
    client.call("POST", peer.url, body=b"genotypes")

    assert b"\r\nContent-Length: 9\r\n" in peer.requests[0]


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:7f00:1]/"],
)
def test_an_inner_address_is_refused_before_any_connection(url):
    with pytest.raises(Refused):
        GuardedClient().call("GET", url)


def test_a_name_is_resolved_once_and_its_checked_address_is_called(peer):
    internet = Internet(peer.port, [[PUBLIC], ["127.0.0.1"]])
    client = GuardedClient(resolve=internet.resolve, dial=internet.dial)

    answer = client.call("GET", f"http://node.example:{peer.port}/", confidential=False)

    assert answer.body == b"hello"
    assert internet.asked == ["node.example"]
    assert internet.dialled == [PUBLIC]


def test_a_name_that_turns_inside_is_refused_at_the_next_call(peer):
    internet = Internet(peer.port, [[PUBLIC], ["127.0.0.1"]])
    client = GuardedClient(resolve=internet.resolve, dial=internet.dial)
    client.call("GET", "http://node.example/", confidential=False)

    with pytest.raises(Refused):
        client.call("GET", "http://node.example/", confidential=False)

    assert internet.dialled == [PUBLIC]


def test_the_next_address_is_tried_when_one_does_not_answer(peer):
    internet = Internet(peer.port, [["93.184.216.33", "10.0.0.1", PUBLIC]])

    def dial_only_one(address, port, timeout):
        if address == PUBLIC:
            return internet.dial(address, port, timeout)
        internet.dialled.append(address)
        raise ConnectionRefusedError

    client = GuardedClient(resolve=internet.resolve, dial=dial_only_one)

    assert client.call("GET", "http://node.example/", confidential=False).status == 200
    assert internet.dialled == ["93.184.216.33", PUBLIC]


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"confidential": False, "credentials": {"X-Auth-Token": "t"}},
        {"confidential": False, "body": b"genotypes"},
    ],
)
def test_nothing_secret_goes_over_plain_http(peer, call):
    internet = Internet(peer.port, [[PUBLIC]])
    client = GuardedClient(resolve=internet.resolve, dial=internet.dial)

    with pytest.raises(Refused, match="https"):
        client.call("POST", "http://node.example/", **call)

    assert internet.dialled == []


@pytest.mark.parametrize(
    "url", [" https://node.example/", "https://node.example/\n", "https://a@b/"]
)
def test_an_address_is_not_mended_but_refused(url):
    with pytest.raises(Refused):
        GuardedClient(transport=Scripted()).call("GET", url)


def test_nobody_listening_means_nothing_was_sent():
    target = f"127.0.0.1:{free_port()}"
    with pytest.raises(NotConnected):
        GuardedClient(allow=frozenset({target})).call("GET", f"http://{target}/")


def test_an_unknown_name_means_nothing_was_sent():
    def unknown(host, port):
        raise socket.gaierror

    with pytest.raises(NotConnected, match=r"example\.org:443"):
        GuardedClient(resolve=unknown).call("GET", "https://example.org/")


@pytest.mark.parametrize("header", ["a\r\nX-Other: 1", "ключ", "a\nb"])
def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(client, peer, header):
    with pytest.raises(Refused) as caught:
        client.call("GET", peer.url, credentials={"X-Auth-Token": header})

    assert header not in f"{caught.value!r} {caught.value.__context__!r}"
    assert peer.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 200_000,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-Header: " + b"1" * 200_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_may_have_been_received(client, peer, answer):
    peer.answer = answer

    with pytest.raises(Cut) as caught:
        client.call("GET", f"{peer.url}/secret")

    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in f"{error!r}"
        error = error.__context__


def test_an_answer_without_a_length_ends_with_the_connection(client, peer):
    peer.answer = b"HTTP/1.1 200 OK\r\n\r\nhello"

    assert client.call("GET", peer.url).body == b"hello"


def test_a_content_encoding_is_neither_asked_for_nor_undone(client, peer):
    peer.answer = OK.replace(b"X-Kind: test", b"Content-Encoding: gzip")

    assert client.call("GET", peer.url).body == b"hello"
    assert b"\r\nAccept-Encoding: identity\r\n" in peer.requests[0]


@pytest.mark.parametrize("framing", [b"Content-Length: 2000", b"X-None: 1"])
def test_an_answer_above_its_cap_is_left(peer, framing):
    peer.answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + b"x" * 2000
    limits = {**LIMITS, "call": replace(LIMITS["call"], answer=1000)}
    client = GuardedClient(allow=frozenset({peer.target}), limits=limits)

    with pytest.raises(TooLarge, match="1,000"):
        client.call("GET", peer.url)


def test_an_endless_answer_is_read_no_further_than_its_cap(peer):
    def forever(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while not peer.ending.is_set():
                connection.sendall(b"x" * 65536)

    peer.answer = forever
    limits = {**LIMITS, "call": replace(LIMITS["call"], answer=10**6)}
    client = GuardedClient(allow=frozenset({peer.target}), limits=limits)

    with pytest.raises(TooLarge):
        client.call("GET", peer.url)


def silent(peer):
    return lambda connection: connection.recv(1) and None


def test_silence_ends_in_a_time_out(peer):
    peer.answer = silent(peer)
    limits = {**LIMITS, "call": replace(LIMITS["call"], idle=0.2)}
    client = GuardedClient(allow=frozenset({peer.target}), limits=limits)

    with pytest.raises(TimedOut):
        client.call("GET", peer.url)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_an_answer_that_drips_ends_with_the_time_of_the_call(peer, start):
    def drip(connection):
        connection.sendall(start)
        with contextlib.suppress(OSError):
            while not peer.ending.wait(0.05):
                connection.sendall(b"H")

    peer.answer = drip
    limits = {**LIMITS, "call": replace(LIMITS["call"], idle=5, total=0.5)}
    client = GuardedClient(allow=frozenset({peer.target}), limits=limits)

    with pytest.raises(TimedOut):
        client.call("GET", peer.url)


def test_a_body_that_nobody_reads_ends_in_a_time_out(peer):
    class Zeros:
        len = 2**30

        def read(self, size: int = -1, /) -> bytes:
            return bytes(size)

    def wait_for_the_end(connection):
        peer.ending.wait()

    peer.answer = wait_for_the_end
    limits = {**LIMITS, "call": replace(LIMITS["call"], write=0.3)}
    client = GuardedClient(allow=frozenset({peer.target}), limits=limits)

    try:
        with pytest.raises(TimedOut):
            client.call("POST", peer.url, body=Zeros())
    finally:
        peer.ending.set()


def test_a_caller_that_stops_reading_closes_the_connection(client, peer):
    closed = threading.Event()

    def watch(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 10)
        connection.settimeout(10)
        assert connection.recv(1) == b""
        closed.set()

    peer.answer = watch
    with client.open("GET", peer.url) as answer:
        assert answer.status == 200

    assert closed.wait(10)


class Scripted(BaseAdapter):
    """A transport that answers without a network."""

    def send(self, request, *args, **kwargs):
        self.request = request
        response = requests.Response()
        response.status_code = 200
        response.raw = HTTPResponse(io.BytesIO(b"scripted"), preload_content=False)
        return response

    def close(self):
        raise AssertionError("it belongs to the caller")


def test_a_transport_takes_the_place_of_the_network_but_not_of_the_rules():
    transport = Scripted()
    client = GuardedClient(transport=transport)

    assert client.call("GET", "https://example.org/x").body == b"scripted"
    assert transport.request.url == "https://example.org/x"
    with pytest.raises(Refused):
        client.call("GET", "http://example.org/x")


def test_the_settings_say_what_is_allowed(settings, peer):
    settings.GUARDED_HTTP_ALLOW = [peer.target]
    assert from_settings().call("GET", peer.url).body == b"hello"

    settings.GUARDED_HTTP_ALLOW = []
    with pytest.raises(Refused):
        from_settings().call("GET", peer.url)


@dataclass
class Authority:
    """A certificate authority in a folder, and a certificate of it for `node.example`."""

    folder: Path

    def __post_init__(self) -> None:
        self.file = self.folder / "ca.pem"
        self.chain = self.folder / "chain.pem"
        authority, authority_key = self._certificate("Test authority", None, None)
        leaf, leaf_key = self._certificate("node.example", authority, authority_key)
        pem = serialization.Encoding.PEM
        self.file.write_bytes(authority.public_bytes(pem))
        self.chain.write_bytes(
            leaf.public_bytes(pem)
            + leaf_key.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context

    @staticmethod
    def _certificate(
        name: str,
        issuer: x509.Certificate | None,
        issuer_key: ec.EllipticCurvePrivateKey | None,
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        signing_key = issuer_key or key
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False
            )
            .sign(signing_key, hashes.SHA256())
        )
        return certificate, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_peer(authority):
    with running(Peer(tls=authority.server_context())) as peer:
        yield peer


def tls_client(peer, ca_file):
    internet = Internet(peer.port, [[PUBLIC]])
    return GuardedClient(resolve=internet.resolve, dial=internet.dial, ca_file=ca_file)


def test_the_certificate_is_verified_for_the_name_not_the_address(tls_peer, authority):
    client = tls_client(tls_peer, authority.file)

    answer = client.call("POST", "https://node.example/x", credentials={"X-Auth-Token": "t"})

    assert answer.body == b"hello"
    assert b"\r\nHost: node.example\r\n" in tls_peer.requests[0]


def test_a_certificate_for_another_name_means_nothing_was_sent(tls_peer, authority):
    with pytest.raises(NotConnected, match="certificate"):
        tls_client(tls_peer, authority.file).call("GET", "https://other.example/")

    assert tls_peer.requests == []


def test_a_certificate_of_an_unknown_authority_means_nothing_was_sent(tls_peer):
    with pytest.raises(NotConnected, match="certificate"):
        tls_client(tls_peer, None).call("GET", "https://node.example/")

    assert tls_peer.requests == []


def test_a_peer_that_speaks_no_tls_means_nothing_was_sent(peer):
    peer.answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def read_anything(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    peer.exchange = read_anything
    with pytest.raises(NotConnected):
        tls_client(peer, None).call("GET", "https://node.example/")
