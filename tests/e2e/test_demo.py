"""`make demo` on a platform of its own, with each engine: twice, since it may be repeated."""

import json
import shutil
import signal
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import IO, Any

import psycopg
import pytest

from apps.node.pipeline.phasing_programs import installed_phasings
from tests.platforms import OwnPlatform, own_platform

DEMO_SECONDS = 240.0

pytestmark = pytest.mark.timeout(900)

needs_minimac4 = pytest.mark.skipif(
    shutil.which("minimac4") is None, reason="minimac4 is not installed (apt-get install minimac4)"
)


@pytest.fixture(scope="module", params=["numpy", pytest.param("minimac4", marks=needs_minimac4)])
def platform(request: pytest.FixtureRequest) -> Iterator[OwnPlatform]:
    if request.param == "numpy":
        shared: OwnPlatform = request.getfixturevalue("numpy_platform")
        shared.up()
        yield shared
        return
    with own_platform(STUDY="kit", NODE_ENGINE=request.param) as own:
        own.up()
        yield own


@pytest.fixture(scope="module", params=["first time", "again"])
def demonstration(
    platform: OwnPlatform, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], str]:
    """What the demonstration reports and prints; the study without phase is sent once."""
    report = tmp_path_factory.mktemp("demo") / f"{request.param}.json"
    options = [] if _sends_unphased(platform, request.param) else ["--no-unphased"]
    done = platform.manage("demo", *options, "--json", str(report), seconds=DEMO_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(report.read_text()), done.stdout


def _sends_unphased(platform: OwnPlatform, time: str) -> bool:
    return platform.environment["NODE_ENGINE"] == "numpy" and time == "first time"


def test_demo_sends_the_study_without_phase_where_a_node_can_phase(
    demonstration: tuple[dict[str, Any], str],
    request: pytest.FixtureRequest,
) -> None:
    result, printed = demonstration
    if "first time" not in request.node.name or "numpy" not in request.node.name:
        assert result["unphased"] == []
    elif installed_phasings():
        (unphased,) = result["unphased"]
        phased = result["panels"][0]
        assert unphased["status"] == "completed"
        assert unphased["summary"]["phasing"].split()[0] in installed_phasings()
        assert phased["summary"]["phasing"] == "no_phasing"
        lost = phased["accuracy"]["total"]["r2"] - unphased["accuracy"]["total"]["r2"]
        assert 0 <= lost < 0.02
        assert "unphased, by " in printed
    else:
        assert result["unphased"] == []
        assert "apt-get install beagle" in printed


def test_demo_imputes_at_both_nodes_and_says_simulated(
    demonstration: tuple[dict[str, Any], str],
) -> None:
    result, printed = demonstration

    assert [panel["node"] for panel in result["panels"]] == ["node-afr", "node-eur"]
    assert all(panel["status"] == "completed" for panel in result["panels"])
    assert result["simulated"] is True
    for title in (result["study"], *(panel["panel"] for panel in result["panels"])):
        assert "SIMULATED" in title
        assert title in printed


def test_demo_names_the_engine_that_was_chosen(
    demonstration: tuple[dict[str, Any], str], platform: OwnPlatform
) -> None:
    result, printed = demonstration
    word = {"numpy": "numpy", "minimac4": "minimac v4"}[platform.environment["NODE_ENGINE"]]

    for panel in result["panels"]:
        assert word in panel["engine"].lower()
    assert result["panels"][0]["engine"][:20] in printed


def test_demo_is_as_good_as_an_engine_must_be(demonstration: tuple[dict[str, Any], str]) -> None:
    afr, eur = (panel["accuracy"] for panel in demonstration[0]["panels"])

    assert afr["total"]["sites"] == eur["total"]["sites"] == 7_390
    assert afr["total"]["found"] == 5_759
    assert 0.90 <= afr["total"]["r2"] < 1
    assert 0.30 <= eur["total"]["r2"] < afr["total"]["r2"]  # the samples are mostly African
    assert all(0 < part["r2"] < 1 for part in afr["bins"] if part["sites"])


def test_demo_counts_sites_as_the_result_flags_them(
    demonstration: tuple[dict[str, Any], str],
) -> None:
    afr = demonstration[0]["panels"][0]["summary"]

    assert afr["samples"] == 40
    assert afr["typed"] + afr["typed_only"] <= 656
    assert afr["typed"] + afr["imputed"] == 8_056
    assert 0 < afr["mean_r2"] < 1


def test_demo_submits_each_job_once(
    demonstration: tuple[dict[str, Any], str], platform: OwnPlatform
) -> None:
    for panel in demonstration[0]["panels"]:
        assert panel["submissions"] == 1  # as the platform's events tell it
        dsn = platform.manage("dsn", panel["node"], seconds=30).stdout.strip()
        with psycopg.connect(dsn, connect_timeout=5) as node:  # and as the node knows it
            received = node.execute(
                "SELECT id FROM node_job WHERE name = %s", [f"fip-{panel['job_id']}"]
            ).fetchall()
        assert received == [(panel["service_job_id"],)]


def test_demo_downloads_what_the_platform_stores(
    demonstration: tuple[dict[str, Any], str],
) -> None:
    for panel in demonstration[0]["panels"]:
        names = {file["name"] for file in panel["files"]}
        assert {"chr_20.zip", "qc_report.txt"} <= names
        for file in panel["files"]:
            with Path(file["path"]).open("rb") as content:
                assert file_digest(content, "sha256").hexdigest() == file["sha256"]
            assert Path(file["path"]).stat().st_size == file["size"]


def test_demo_leaves_its_jobs_to_the_platform_when_it_is_interrupted(
    platform: OwnPlatform,
) -> None:
    platform.hold("imputation")
    with platform.start("demo") as demo:
        assert demo.stdout is not None
        jobs = {line.split(":")[0] for line in (_line_about_a_job(demo.stdout) for _ in range(2))}
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
        status = demo.wait(timeout=60)
    platform.up()

    assert status == 130
    assert "goes on with what it was sent" in rest
    assert "Traceback" not in rest
    assert jobs <= {"  Kit AFR (SIMULATED)", "  Kit EUR (SIMULATED)"}


def _line_about_a_job(lines: IO[str]) -> str:
    return next(line for line in lines if line.startswith("  Kit "))


def test_demo_refuses_when_nothing_runs() -> None:
    with own_platform(STUDY="kit") as platform:
        done = platform.manage("demo", seconds=60)

    assert done.returncode == 1
    assert "make up" in done.stderr
