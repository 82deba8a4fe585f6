"""Programs that misbehave: real scripts, run as the engines run."""

import os
import stat
import time

import numpy as np
import pytest

from apps.node.pipeline.phasing import Beagle, Eagle, PhasingFailed, PhasingTask, choose_phasing

TRACE = """\
echo 'Exception in thread "main" java.lang.IllegalArgumentException: no <map>' >&2
printf '\\tat vcf.Samples.checkForDuplicates(Samples.java:70)\\n' >&2
"""
BEAGLE_SAYS = 'case "$#" in 0) echo "beagle.99Xxx99.abc.jar (version 5.9)"; exit 0;; esac\n'
EAGLE_SAYS = 'case "$1" in --help) echo "Eagle v2.9.9"; exit 0;; esac\n'


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put scripts on a PATH that has the system's own programs, but no other engine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "env", "sleep"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))

    def install(name, body):
        path = folder / name
        says = BEAGLE_SAYS if name == "beagle" else EAGLE_SAYS
        path.write_text(f"#!/bin/sh\n{says}{body}\n")
        path.chmod(0o755)
        return path

    return install


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "window"
    folder.mkdir()
    return PhasingTask(
        targets=folder / "targets.vcf.gz",
        reference=folder / "reference.vcf.gz",
        positions=np.array([1000, 2000]),
        centimorgans=np.array([0.001, 0.002]),
        threads=3,
        memory_mb=512,
        folder=folder,
    )


def phase(engine, task):
    """What the engine says to users, and what of its program's words is in the log."""
    log: list[str] = []
    with pytest.raises(PhasingFailed) as raised:
        engine.phase(task, progress=lambda _: None, log=log.append)
    return str(raised.value), log


def beagle(**changed):
    found = Beagle.find()
    assert found is not None
    return Beagle(**{"program": found.program, "version": found.version} | changed)


def test_beagle_is_told_where_everything_is_and_how_much_it_may_take(install, task):
    install("beagle", 'echo "$*" > told; env > environment; : > beagle.vcf.gz')
    shares: list[float] = []
    path = beagle().phase(task, progress=shares.append, log=pytest.fail)
    assert path == task.folder / "beagle.vcf.gz"
    assert (task.folder / "told").read_text().split() == [
        "gt=targets.vcf.gz",
        "ref=reference.vcf.gz",
        "map=beagle.map",
        "out=beagle",
        "impute=false",
        "seed=20",
        "nthreads=3",
    ]
    assert "-Xmx512m" in (task.folder / "environment").read_text()
    rows = [line.split() for line in (task.folder / "beagle.map").read_text().splitlines()]
    assert rows[:2] == [
        ["1", ".", "0.0010000000", "1000"],
        ["1", ".", "0.0020000000", "2000"],
    ]


def test_eagle_is_told_where_everything_is(install, task):
    install("bio-eagle", 'echo "$*" > told; : > eagle.vcf.gz')
    engine = Eagle.find()
    assert engine is not None
    path = engine.phase(task, progress=lambda _: None, log=pytest.fail)
    assert path == task.folder / "eagle.vcf.gz"
    assert (task.folder / "told").read_text().split() == [
        "--vcfTarget=targets.vcf.gz",
        "--vcfRef=reference.vcf.gz",
        "--geneticMapFile=eagle.map",
        "--outPrefix=eagle",
        "--vcfOutFormat=z",
        "--numThreads=3",
    ]
    header, first, *_ = (task.folder / "eagle.map").read_text().splitlines()
    assert header == "chr position COMBINED_rate(cM/Mb) Genetic_Map(cM)"
    assert first == "1 1000 0 0.0010000000"


def test_it_sees_nothing_of_the_servers_environment(install, task, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    install("beagle", "env > environment; : > beagle.vcf.gz")
    beagle().phase(task, progress=lambda _: None, log=pytest.fail)
    assert "s3cret" not in (task.folder / "environment").read_text()


def test_one_that_threw_and_hangs_is_ended(install, task):
    install("beagle", TRACE + "echo $$ > pid; exec sleep 600")
    started = time.monotonic()
    said, log = phase(beagle(), task)
    assert time.monotonic() - started < 30
    assert said == "Beagle failed with an error of its own, which the log of the job shows."
    assert log == [
        'Beagle: Exception in thread "main" java.lang.IllegalArgumentException: no <map>',
        "Beagle: \tat vcf.Samples.checkForDuplicates(Samples.java:70)",
    ]
    with pytest.raises(ProcessLookupError):
        os.kill(int((task.folder / "pid").read_text()), 0)


def test_one_that_threw_and_ended_as_if_nothing_had_been_failed(install, task):
    install("beagle", TRACE + ": > beagle.vcf.gz; exit 0")
    assert "an error of its own" in phase(beagle(), task)[0]


def test_one_that_takes_too_long_is_ended(install, task):
    install("beagle", "echo $$ > pid; exec sleep 600")
    said, _ = phase(beagle(timeout=0.5), task)
    assert said == "Beagle did not end within 0.5 seconds and was stopped."
    with pytest.raises(ProcessLookupError):
        os.kill(int((task.folder / "pid").read_text()), 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("kill -ABRT $$", "Beagle was ended by SIGABRT."),
        ("exit 3", "Beagle ended with status 3; the log of the job shows what it said."),
        ("exit 0", "Beagle wrote no genotypes."),
        (
            "echo 'Terminating due to java.lang.OutOfMemoryError: Java heap space'; exit 3",
            "Beagle needed more than the 512 MB of memory that it may take on this server.",
        ),
        (
            "echo 'java.io.IOException: No space left on device' >&2; exit 1",
            "The disk of this server is full.",
        ),
    ],
)
def test_failure_is_told_in_a_sentence(install, task, body, said):
    install("beagle", body)
    assert phase(beagle(), task)[0].startswith(said)


def test_one_that_cannot_be_started_says_so(install, task):
    path = install("beagle", "exit 0")
    engine = beagle()
    path.chmod(stat.S_IRUSR)
    path.unlink()
    assert phase(engine, task)[0] == "Beagle could not be started (No such file or directory)."


def test_its_words_are_logged_in_part_and_never_with_genotypes(install, task):
    install(
        "beagle",
        "i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo line $i; done\n"
        "printf 'ERROR at 1\\t5\\t.\\tA\\tC\\t.\\t.\\t.\\tGT\\t0|1\\t./.\\n'; exit 1",
    )
    _, log = phase(beagle(), task)
    assert log[0] == "Beagle: line 1"
    assert log[-1] == "Beagle: (a line with genotypes)"
    assert len(log) == 41
    assert not any("0|1" in line for line in log)


@pytest.mark.parametrize(
    ("installed", "asked", "found"),
    [
        (("beagle", "bio-eagle"), "eagle", "Eagle"),
        (("beagle", "bio-eagle"), "beagle", "Beagle"),
        (("beagle",), "eagle", "Beagle"),
        (("eagle",), "beagle", "Eagle"),
        ((), "eagle", None),
    ],
)
def test_the_other_engine_takes_the_place_of_one_that_is_not_there(
    install, installed, asked, found
):
    for name in installed:
        install(name, "exit 0")
    engine = choose_phasing(asked)
    assert (engine and engine.name) == found


def test_another_program_of_the_same_name_is_no_engine(install):
    path = install("eagle", "exit 0")
    path.write_text("#!/bin/sh\necho EAGLE, draws circuit boards\n")
    install("beagle", "exit 0").write_text("#!/nowhere/sh\n")
    assert choose_phasing("eagle") is None
