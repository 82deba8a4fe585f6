"""Downloads against a scripted server: one GET, whole or not at all."""

import hashlib
import logging
import re
import resource
from dataclasses import replace

import pytest

from apps.federation.michigan import Michigan
from apps.federation.protocol import (
    Busy,
    Down,
    DownloadCut,
    DownloadFailed,
    DownloadsExhausted,
    Malformed,
    NotFound,
    Rejected,
    Unreachable,
)
from apps.shared.http.client import LIMITS, GuardedClient
from tests.michigan_server import MichiganServer, zip_of
from tests.michigan_troubles import CutAnswer, Hang, Redirect, Reply, Silence
from tests.servers import free_port

PASSWORD = "Secret-1"
ZIP = zip_of(
    {"chr20.dose.vcf.gz": bytes(range(256)) * 500, "chr20.info.gz": b"i"}, password=PASSWORD
)


@pytest.fixture
def files(server, michigan):
    server.files = {"chr_20.zip": ZIP, "statistics/snps #1%.txt": b"ID\tCHROM\n", "empty.txt": b""}
    server.downloads = 2
    job = server.add_job("fip-1", 4)
    files = {file.name: file for file in michigan.job(job.id).files}
    server.requests.clear()
    return files


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_with_one_get_and_no_token(michigan, server, files, tmp_path):
    seen: list[int] = []
    target = tmp_path / "chr_20.zip"

    download = michigan.download(
        files["chr_20.zip"], target, password=PASSWORD, progress=seen.append
    )

    assert target.read_bytes() == ZIP
    assert download.path == target
    assert download.size == len(ZIP)
    assert download.sha256 == hashlib.sha256(ZIP).hexdigest()
    assert download.members == ("chr20.dose.vcf.gz", "chr20.info.gz")
    assert [request.method for request in server.requests] == ["GET"]
    assert "x-auth-token" not in server.requests[0].headers
    assert seen == sorted(seen)
    assert seen[-1] == len(ZIP)
    assert left_in(tmp_path) == ["chr_20.zip"]


def test_a_nested_name_is_quoted(michigan, server, files, tmp_path):
    download = michigan.download(files["statistics/snps #1%.txt"], tmp_path / "x.txt")

    assert download.size == 9
    assert server.requests[0].path.endswith("/statistics/snps%20%231%25.txt")


def test_an_empty_file_is_a_file(michigan, files, tmp_path):
    assert michigan.download(files["empty.txt"], tmp_path / "empty.txt").size == 0


def test_an_older_file_is_replaced(michigan, files, tmp_path):
    target = tmp_path / "chr_20.zip"
    target.write_bytes(b"old")

    michigan.download(files["chr_20.zip"], target, password=PASSWORD)

    assert target.read_bytes() == ZIP


def test_the_count_is_used_up(michigan, server, files, tmp_path):
    for _ in range(2):
        michigan.download(files["empty.txt"], tmp_path / "x")

    with pytest.raises(DownloadsExhausted) as caught:
        michigan.download(files["empty.txt"], tmp_path / "y")

    assert not caught.value.counted
    assert left_in(tmp_path) == ["x"]


@pytest.mark.parametrize("after", [0, 1, 1000, len(ZIP) // 2, len(ZIP) - 1])
def test_a_cut_body_costs_one_and_leaves_nothing(michigan, server, files, tmp_path, after):
    server.next("download", CutAnswer(after=after))

    with pytest.raises(DownloadCut) as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip", password=PASSWORD)

    assert caught.value.counted
    assert server.count("download") == 1
    assert left_in(tmp_path) == []
    michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip", password=PASSWORD)


@pytest.mark.parametrize("after", [0, 1000, len(ZIP) - 1])
def test_a_cut_that_no_length_betrays_is_seen_in_the_zip(michigan, server, files, tmp_path, after):
    server.next("download", Reply(200, ZIP[:after], {"Content-Length": None}))

    with pytest.raises(DownloadCut):
        michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip", password=PASSWORD)

    assert left_in(tmp_path) == []


def test_damage_inside_a_member_is_seen(michigan, server, files, tmp_path):
    damaged = bytearray(ZIP)
    damaged[200] ^= 1
    server.next("download", Reply(200, bytes(damaged)))

    with pytest.raises(DownloadCut) as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip", password=PASSWORD)

    assert caught.value.counted
    assert left_in(tmp_path) == []


def test_a_wrong_password_is_not_called_a_cut(michigan, files, tmp_path):
    with pytest.raises(DownloadFailed, match="password") as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip", password="Other-1")

    assert type(caught.value) is DownloadFailed
    assert caught.value.counted
    assert "Other-1" not in str(caught.value)
    assert left_in(tmp_path) == []


def test_a_zip_of_unknown_password_is_kept_and_tells_no_members(michigan, files, tmp_path):
    download = michigan.download(files["chr_20.zip"], tmp_path / "chr_20.zip")

    assert download.members == ()
    assert download.size == len(ZIP)


def test_no_answer_counts_since_it_may_have(michigan, server, files, tmp_path):
    server.next("download", Silence())

    with pytest.raises(DownloadCut) as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "x", password=PASSWORD)

    assert caught.value.counted


def test_a_silent_service_is_left_after_a_while(server, files, tmp_path):
    limits = {**LIMITS, "download": replace(LIMITS["download"], idle=0.3)}
    client = GuardedClient(allow=frozenset({server.target}), limits=limits)
    michigan = Michigan(base_url=server.url, token=server.token, client=client)
    server.next("download", Hang())

    with pytest.raises(DownloadCut, match="in time"):
        michigan.download(files["chr_20.zip"], tmp_path / "x")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(404, {"success": False, "message": "download not found."}), NotFound),
        (Reply(400, {"success": False, "message": "Something else."}), Rejected),
        (Reply(500, "<html><h1>Sorry</h1></html>"), Down),
        (Reply(429, "", {"Retry-After": "9"}), Busy),
        (Reply(206, b"part"), Malformed),
    ],
)
def test_an_answer_without_the_file_says_why(michigan, server, files, tmp_path, reply, error):
    server.next("download", reply)

    with pytest.raises(error) as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "x")

    assert type(caught.value) is error
    assert "<" not in str(caught.value)
    assert left_in(tmp_path) == []


def test_nobody_listening_counts_nothing(files, tmp_path):
    target = f"127.0.0.1:{free_port()}"
    client = GuardedClient(allow=frozenset({target}))
    michigan = Michigan(base_url=f"http://{target}", token="t", client=client)

    with pytest.raises(Unreachable):
        michigan.download(files["chr_20.zip"], tmp_path / "x")


@pytest.fixture
def store():
    with MichiganServer() as store:
        yield store


def michigan_with(server, *allowed):
    client = GuardedClient(allow=frozenset({server.target, *allowed}))
    return Michigan(base_url=server.url, token=server.token, client=client)


def test_three_redirects_are_followed_without_the_token(server, store, files, tmp_path):
    michigan = michigan_with(server, store.target)
    server.next("download", Redirect(f"{store.url}/share/results/1/a?signature=x"))
    store.next("download", Redirect("/share/results/2/b"), Redirect("3/c"), Reply(200, ZIP))
    store.next("any", Reply(200, ZIP))

    download = michigan.download(files["chr_20.zip"], tmp_path / "x.zip", password=PASSWORD)

    assert download.size == len(ZIP)
    assert [request.path for request in store.requests] == [
        "/share/results/1/a?signature=x",
        "/share/results/2/b",
        "/share/results/2/3/c",
    ]
    for request in (*server.requests, *store.requests):
        assert "x-auth-token" not in request.headers
        assert server.token not in str(request)


def test_a_fourth_redirect_is_not_followed(michigan, server, files, tmp_path):
    server.next("download", *(Redirect("/share/results/again/x"),) * 5)

    with pytest.raises(DownloadFailed, match="again and again") as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "x")

    assert caught.value.counted
    assert server.count("download") == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.1/latest",
        "https://169.254.169.254/latest/meta-data",
        "http://93.184.216.34/plain-http",
        "https://user:pass@93.184.216.34/",
        "ftp://93.184.216.34/x",
        "file:///etc/passwd",
        "//0x7f.1/x",
    ],
)
def test_a_redirect_to_where_nobody_may_go_is_refused(michigan, server, files, tmp_path, location):
    server.next("download", Redirect(location))

    with pytest.raises(DownloadFailed) as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "x")

    assert caught.value.counted
    assert server.count("download") == 1
    assert left_in(tmp_path) == []


def test_a_refusal_of_the_store_is_not_the_services(server, store, files, tmp_path):
    michigan = michigan_with(server, store.target)
    server.next("download", Redirect(f"{store.url}/share/results/1/a"))
    store.next("download", Reply(403, "<Error><Code>AccessDenied</Code></Error>"))

    with pytest.raises(DownloadFailed, match="store answered 403") as caught:
        michigan.download(files["chr_20.zip"], tmp_path / "x")

    assert caught.value.counted


def test_a_file_above_the_cap_is_not_taken(server, client, files, tmp_path):
    michigan = Michigan(
        base_url=server.url, token=server.token, client=client, largest_download=1000
    )
    with pytest.raises(DownloadFailed, match="more than 1,000 bytes"):
        michigan.download(files["chr_20.zip"], tmp_path / "x")
    server.next("download", Reply(200, ZIP, {"Content-Length": None}))
    with pytest.raises(DownloadFailed, match="more than 1,000 bytes"):
        michigan.download(files["chr_20.zip"], tmp_path / "x")

    assert left_in(tmp_path) == []


def test_a_folder_that_is_not_there_is_told(michigan, files, tmp_path):
    with pytest.raises(DownloadFailed, match="could not be written"):
        michigan.download(files["chr_20.zip"], tmp_path / "absent" / "x")


def test_a_caller_that_stops_leaves_nothing(michigan, files, tmp_path):
    class Stop(Exception):
        pass

    def stop(_: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        michigan.download(files["chr_20.zip"], tmp_path / "x", progress=stop)

    assert left_in(tmp_path) == []


def test_the_key_of_a_file_is_in_no_text(michigan, server, files, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    file = files["chr_20.zip"]
    texts = [repr(file)]
    for script in (
        CutAnswer(after=10),
        Silence(),
        Redirect("https://10.0.0.1/secret-path"),
        Reply(500, "no"),
        Reply(404, {"message": "File not found in workspace.", "success": False}),
        Reply(200, b"broken"),
        Reply(200, b"", {"bad header": "x"}),
    ):
        server.next("download", script)
        with pytest.raises(Exception, match=r".") as caught:
            michigan.download(file, tmp_path / "x")
        error: BaseException | None = caught.value
        while error is not None:
            texts.append(f"{error} {error!r}")
            error = error.__context__

    told = "\n".join(texts) + caplog.text
    assert file.locator not in told
    assert "secret-path" not in told
    assert not re.search(r"share/results", told)


def test_a_full_disk_is_told(michigan, server, files, tmp_path):
    server.next("download", Reply(200, bytes(2**21)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    try:
        with pytest.raises(DownloadFailed, match="could not be written here: File too large"):
            michigan.download(files["empty.txt"], tmp_path / "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert left_in(tmp_path) == []


def test_a_folder_in_the_place_of_the_target_is_told(michigan, files, tmp_path):
    (tmp_path / "x").mkdir()

    with pytest.raises(DownloadFailed, match="could not be written"):
        michigan.download(files["empty.txt"], tmp_path / "x")

    assert left_in(tmp_path) == ["x"]


@pytest.mark.parametrize(
    "reply", [Reply(500, "<h1>Sorry</h1>" * 10_000), Reply(500, "Sorry", {"Content-Length": "99"})]
)
def test_an_error_page_is_read_as_far_as_it_comes(michigan, server, files, tmp_path, reply):
    server.next("download", reply)

    with pytest.raises(Busy, match=r"^Sorry"):
        michigan.download(files["empty.txt"], tmp_path / "x")
