"""Every call of the adapter in every trouble: the right error, a sentence, no secret.

Rows are troubles, columns are operations; a cell names the error. What a submission may conclude
differs from what a question may, and a download has errors of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from apps.federation.michigan import Michigan
from apps.federation.protocol import (
    Busy,
    Down,
    DownloadCut,
    DownloadFailed,
    ExternalFile,
    FederationError,
    Forbidden,
    InputFile,
    Malformed,
    NotAuthenticated,
    NotFound,
    Rejected,
    Submission,
    Uncertain,
    Unreachable,
)
from apps.shared.http.client import GuardedClient
from apps.shared.http.transport import Limits
from tests.michigan_server import MichiganServer
from tests.michigan_troubles import (
    CutAnswer,
    CutRequest,
    Drip,
    Flood,
    Raw,
    Redirect,
    Reply,
    Reset,
    Silence,
)
from tests.servers import free_port

PANEL = "apps@kit-afr@1.0.0"
KEY = "a" * 64
SITES = b"sites"
PAGE = "<html><body><h1>Sorry</h1><script>alert(1)</script></body></html>"
# Patient enough for a busy machine, but for a service that never comes to an end.
PATIENT = Limits(connect=20, write=20, idle=20, total=60, answer=2**20)
IMPATIENT = Limits(connect=20, write=20, idle=0.5, total=1, answer=2**20)
OPERATIONS = (
    "discover", "submit", "find", "job", "cancel", "restart", "download", "sites", "site",
)  # fmt: skip
# What to script for an operation; the kinds of `tests.michigan_troubles`.
KINDS = {"discover": "server", "find": "list"}


def own(status: int, message: str = "No.", **headers: str | None) -> Reply:
    return Reply(status, {"message": message, "success": False}, headers)


def all_same(error: type[FederationError], **others: Any) -> dict[str, Any]:
    return {**dict.fromkeys(OPERATIONS, error), **others}


BUSY = own(429, "Slow down.", **{"Retry-After": "90"})
DATED = own(
    429,
    "Slow down.",
    # A service whose clock is a day behind: a server of Python adds its own Date before these.
    **{"Retry-After": "Sun, 01 Mar 2026 12:01:30 GMT", "Date": "Sun, 01 Mar 2026 12:00:00 GMT"},
)
QUESTION = {"submit": Uncertain, "download": DownloadCut, "site": DownloadCut}
TROUBLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "401": (own(401), all_same(NotAuthenticated, download=Rejected)),
    "401 of a proxy": (Reply(401, PAGE), all_same(NotAuthenticated, download=Rejected)),
    "403": (own(403, "Access denied."), all_same(Forbidden, download=Rejected, sites=None)),
    "400 job limit": (
        own(400, "Only 2 jobs per user can be executed simultaneously."),
        all_same(Busy, download=Rejected),
    ),
    "400 other": (own(400, "Parameter 'x' not found."), all_same(Rejected)),
    "404": (own(404, "Not found."), all_same(NotFound, sites=None)),
    "404 page": (Reply(404, PAGE), all_same(Malformed, download=NotFound)),
    "413": (Reply(413, PAGE), all_same(Rejected)),
    "429": (BUSY, all_same(Busy)),
    "429 with a date": (DATED, all_same(Busy)),
    "500": (own(500, "Oops."), all_same(Down, submit=Uncertain)),
    "502 page": (Reply(502, PAGE), all_same(Down, submit=Uncertain)),
    "503 maintenance": (own(503, "Under maintenance."), all_same(Busy)),
    "503 page": (Reply(503, PAGE), all_same(Down, submit=Uncertain)),
    "200 page": (
        Reply(200, PAGE),
        all_same(Malformed, submit=Uncertain, download=None, site=DownloadCut),
    ),
    "200 that says no": (own(200), all_same(Rejected, download=None, site=DownloadCut)),
    "no HTTP": (Raw(b"\x00\xff\x16\x03garbage"), all_same(Uncertain, **QUESTION)),
    "headers without an end": (
        Raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2**18),
        all_same(Uncertain, **QUESTION),
    ),
    "cut JSON": (
        Reply(200, b'{"data": [{"id": "job-1", "sta'),
        all_same(Malformed, submit=Uncertain, download=None, site=DownloadCut),
    ),
    "JSON without an end": (
        Reply(200, b"[" * 200_000),
        all_same(Malformed, submit=Uncertain, download=None, site=DownloadCut),
    ),
    "wrong types": (
        Reply(200, {"id": 7, "data": 3, "params": "none", "chromosomes": {}, "state": "4"}),
        all_same(
            Malformed,
            discover=None,
            submit=Uncertain,
            restart=None,
            download=None,
            site=DownloadCut,
        ),
    ),
    "a flood": (
        Flood(8 * 2**20),
        all_same(Malformed, submit=Uncertain, download=DownloadFailed, site=DownloadCut),
    ),
    "a drip": (Drip(), all_same(Uncertain, **QUESTION)),
    "reset": (Reset(), all_same(Uncertain, **QUESTION)),
    "closed without an answer": (Silence(), all_same(Uncertain, **QUESTION)),
    "cut answer": (CutAnswer(after=3), all_same(Uncertain, **{**QUESTION, "download": NotFound})),
    "redirect to itself": (
        Redirect("{server}/share/results/x/y"),
        all_same(Malformed, submit=Uncertain, download=None),
    ),
    "redirect to another host": (
        Redirect("{store}/elsewhere"),
        all_same(Malformed, submit=Uncertain, download=None),
    ),
    "redirect to a private address": (
        Redirect("http://10.0.0.1/secret"),
        all_same(Malformed, submit=Uncertain, download=DownloadFailed),
    ),
}


@pytest.fixture
def store() -> Iterator[MichiganServer]:
    with MichiganServer() as other:
        yield other


def calls(
    michigan: Michigan, submission: Submission, folder: Path
) -> dict[str, Callable[[], object]]:
    file = ExternalFile(name="report.txt", locator=KEY)
    return {
        "discover": michigan.discover,
        "submit": lambda: michigan.submit(submission),
        "find": lambda: michigan.find("fip-1"),
        "job": lambda: michigan.job("job-20261001-101500-001"),
        "cancel": lambda: michigan.cancel("job-20261001-101500-001"),
        "restart": lambda: michigan.restart("job-20261001-101500-001"),
        "download": lambda: michigan.download(file, folder / "report.txt"),
        "sites": lambda: michigan.panel_sites(PANEL, folder),
        "site": lambda: michigan.panel_sites(PANEL, folder),
    }


def adapter(server: MichiganServer, store: MichiganServer, limits: Limits) -> Michigan:
    client = GuardedClient(
        allow=frozenset({server.target, store.target}),
        limits={"call": limits, "upload": limits, "download": limits},
    )
    return Michigan(base_url=server.url, token=server.token, client=client, largest_download=2**20)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_ends_in_its_error_with_a_sentence_and_no_secret(
    server: MichiganServer,
    store: MichiganServer,
    submission: Submission,
    tmp_path: Path,
    trouble: str,
    operation: str,
):
    script, errors = TROUBLES[trouble]
    if isinstance(script, Redirect):
        script = Redirect(script.location.format(server=server.url, store=store.url))
    server.sites = {PANEL: {"20": SITES}}
    server.add_job("fip-1", 2)
    server.next(KINDS.get(operation, operation), script)
    folder = tmp_path / "here"
    folder.mkdir()
    error: BaseException | None = None

    try:
        limits = IMPATIENT if isinstance(script, Drip) else PATIENT
        calls(adapter(server, store, limits), submission, folder)[operation]()
    except FederationError as raised:
        error = raised

    expected = errors[operation]
    if trouble.startswith("redirect to ") and operation == "download" and expected is None:
        expected = DownloadFailed
    assert type(error) is (expected or type(None)), repr(error)
    if isinstance(error, Busy) and (script is BUSY or script is DATED):
        assert error.retry_after == 90
    if error is not None:
        text = f"{error} {error!r}"
        assert len(str(error)) > 2
        assert "<" not in str(error)
        assert server.token not in text
        assert KEY not in text
        assert list(folder.iterdir()) == []
    assert not any("x-auth-token" in request.headers for request in store.requests)
    downloads = [request for request in server.requests if request.kind == "download"]
    assert not any("x-auth-token" in request.headers for request in downloads)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_service_that_is_not_there_got_nothing(
    server: MichiganServer, submission: Submission, tmp_path: Path, scheme: str, operation: str
):
    """Nobody listens, or somebody without TLS: nothing was sent, so it is safe to repeat."""
    target = f"127.0.0.1:{free_port()}" if scheme == "http" else server.target
    client = GuardedClient(
        allow=frozenset({target}), limits={"call": PATIENT, "upload": PATIENT, "download": PATIENT}
    )
    michigan = Michigan(base_url=f"{scheme}://{target}", token=server.token, client=client)

    with pytest.raises(Unreachable) as caught:
        calls(michigan, submission, tmp_path)[operation]()

    assert server.token not in str(caught.value)
    assert server.requests == []


def test_clock_of_a_service_may_be_a_day_wrong(michigan: Michigan, server: MichiganServer):
    job = server.add_job("fip-1", 2)
    answer = michigan.job(job.id)
    for skew in (-86_400_000, 86_400_000):
        body = server.answer_about(job)
        for name in ("submittedOn", "startTime", "endTime", "currentTime"):
            if body.get(name, 0) > 0:
                body[name] += skew
        server.next("job", Reply(200, body, {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}))

        assert michigan.job(job.id) == answer


def test_submission_cut_anywhere_never_makes_two_jobs_and_never_loses_one(
    michigan: Michigan, server: MichiganServer, tmp_path: Path
):
    """The body is cut after each of its bytes, then the answer after each of its bytes."""
    study = tmp_path / "study.vcf.gz"
    study.write_bytes(b"s")

    def submission(tag: str) -> Submission:
        return Submission(
            tag=tag,
            panel=PANEL,
            files=(InputFile(path=study, name="s.vcf.gz"),),
            build="hg38",
            phasing="no_phasing",
            population="afr",
        )

    michigan.submit(submission("fip-whole"))
    size = int(server.requests[-1].headers["content-length"])
    for after in range(size):
        server.next("submit", CutRequest(after=after))
        with pytest.raises(Uncertain):
            michigan.submit(submission("fip-body"))
    assert michigan.find("fip-body") is None
    assert server.submissions == {"fip-whole": 1}

    answer = len(
        b'{"success": true, "message": "Your job was successfully added to the job queue."'
    )
    for after in range(answer):
        tag = f"fip-answer-{after}"
        server.next("submit", CutAnswer(after=after))
        with pytest.raises(Uncertain):
            michigan.submit(submission(tag))
        assert server.submissions[tag] == 1
    found = michigan.find("fip-answer-0")
    assert found is not None
    assert found.name == "fip-answer-0"


CONTENT = b"#Position\tReason\n20:100\tstrand flip\n"


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_file_without_a_checksum_that_is_cut_anywhere_is_not_kept(
    michigan: Michigan, server: MichiganServer, tmp_path: Path, framing: str
):
    """Text has no checksum; the length, or the end of the last chunk, tells whether it is whole."""
    if framing == "length":
        head, body = f"Content-Length: {len(CONTENT)}\r\n".encode(), CONTENT
    else:
        pieces = (CONTENT[:10], CONTENT[10:])
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces)
        head, body = b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body
    file = ExternalFile(name="report.txt", locator=KEY)
    kept = []
    for cut in range(len(whole) + 1):
        server.next("download", Raw(whole[:cut]))
        with suppress(DownloadCut):
            kept.append((cut, michigan.download(file, tmp_path / "report.txt").size))
            assert (tmp_path / "report.txt").read_bytes() == CONTENT
            (tmp_path / "report.txt").unlink()
        assert list(tmp_path.iterdir()) == []
    assert kept[-1] == (len(whole), len(CONTENT))
    assert len(kept) == 1 if framing == "length" else len(kept) <= 3
