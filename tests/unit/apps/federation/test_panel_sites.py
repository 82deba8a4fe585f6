"""The sites of a panel: an extension that only nodes of the federation have."""

import hashlib
from pathlib import Path

import pytest

from apps.federation.michigan import Michigan
from apps.federation.protocol import DownloadCut, Malformed, NoRoom, NotAuthenticated
from tests.michigan_server import MichiganServer
from tests.michigan_troubles import CutAnswer, Redirect, Reply

KEY = "apps@kit-afr@1.0.0"
SITES = {"20": b"sites of twenty", "X": b"sites of x"}


@pytest.fixture
def sites(server: MichiganServer) -> None:
    server.sites = {KEY: dict(SITES)}


def announced(**changes: object) -> Reply:
    text = SITES["20"]
    entry = {"name": "20", "size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    return Reply(200, {"panel": KEY, "build": "hg38", "chromosomes": [{**entry, **changes}]})


def test_sites_of_a_panel_are_fetched_in_the_services_order(
    michigan: Michigan, sites: None, tmp_path: Path
):
    paths = michigan.panel_sites(KEY, tmp_path)

    assert [path.name for path in paths] == ["20.vcf.gz", "X.vcf.gz"]
    assert [path.read_bytes() for path in paths] == list(SITES.values())
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_file_that_is_here_already_is_not_fetched_again(
    michigan: Michigan, server: MichiganServer, sites: None, tmp_path: Path
):
    michigan.panel_sites(KEY, tmp_path)
    server.sites[KEY]["X"] = b"other sites"

    paths = michigan.panel_sites(KEY, tmp_path)

    assert server.count("site") == 3
    assert paths[1].read_bytes() == b"other sites"


def test_service_that_publishes_no_sites_has_none(michigan: Michigan, tmp_path: Path):
    assert michigan.panel_sites("apps@other@1.0.0", tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", range(len(SITES["20"])))
def test_cut_file_of_sites_leaves_nothing(
    michigan: Michigan, server: MichiganServer, sites: None, tmp_path: Path, after: int
):
    server.next("site", CutAnswer(after=after))

    with pytest.raises(DownloadCut) as caught:
        michigan.panel_sites(KEY, tmp_path)

    assert not caught.value.counted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"sites of twentz", b"sites of twent", b"sites of twenty and more"]
)
def test_file_that_was_not_announced_is_not_kept(
    michigan: Michigan, server: MichiganServer, sites: None, tmp_path: Path, content: bytes
):
    server.next("sites", announced())
    server.next("site", Reply(200, content))

    with pytest.raises(DownloadCut):
        michigan.panel_sites(KEY, tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "../20"},
        {"name": ""},
        {"name": 20},
        {"size": -1},
        {"size": True},
        {"size": "10"},
        {"size": 10**15},
        {"sha256": "x" * 64},
        {"sha256": None},
    ],
)
def test_announcement_that_cannot_be_used_is_malformed(
    michigan: Michigan, server: MichiganServer, tmp_path: Path, entry: dict[str, object]
):
    server.next("sites", announced(**entry))

    with pytest.raises(Malformed):
        michigan.panel_sites(KEY, tmp_path)

    assert server.count("site") == 0


def test_page_of_a_proxy_does_not_say_that_there_are_none(
    michigan: Michigan, server: MichiganServer, tmp_path: Path
):
    server.next("sites", Reply(404, "<html>no such host</html>"))

    with pytest.raises(Malformed):
        michigan.panel_sites(KEY, tmp_path)


def test_redirected_file_of_sites_is_not_followed(
    michigan: Michigan, server: MichiganServer, sites: None, tmp_path: Path
):
    server.next("site", Redirect(f"{server.url}/elsewhere"))

    with pytest.raises(Malformed):
        michigan.panel_sites(KEY, tmp_path)

    assert server.count("other") == 0


def test_refused_token_is_told_and_not_repeated(
    michigan: Michigan, server: MichiganServer, sites: None, tmp_path: Path
):
    server.next("site", Reply(401, {"message": f"{server.token} is wrong", "success": False}))

    with pytest.raises(NotAuthenticated) as caught:
        michigan.panel_sites(KEY, tmp_path)

    assert server.token not in str(caught.value)


def test_folder_that_is_not_there_is_told(michigan: Michigan, sites: None, tmp_path: Path):
    with pytest.raises(NoRoom) as caught:
        michigan.panel_sites(KEY, tmp_path / "none")

    assert not caught.value.counted
