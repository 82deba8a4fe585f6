import itertools
import os
import shutil

import pytest

from apps.node.pipeline.engines import ChunkTask, EngineFailed, LiStephens, Minimac4, choose_engine


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a minimac4 on the PATH that tells its version, and otherwise does as told."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def program(body):
        path = folder / "minimac4"
        path.write_text(
            "#!/bin/sh\n"
            'case "$1" in --version) echo "minimac v4.9.9" >&2; exit 0;;\n'
            "--compress-reference) echo msav; exit 0;; esac\n" + body + "\n"
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.defpath}")

    return program


@pytest.fixture
def task(kit_panel, tmp_path):
    folder = tmp_path / "chunk"
    folder.mkdir()
    yield ChunkTask(
        panel=kit_panel,
        chromosome="20",
        spelled="chr20",
        start=40_000_001,
        end=60_000_000,
        overlap=500_000,
        targets=tmp_path / "targets.vcf.gz",
        samples=("a", "b"),
        r2_filter=0.3,
        threads=2,
        folder=folder,
    )
    shutil.rmtree(kit_panel.folder / "cache", ignore_errors=True)


def impute(task):
    shares: list[float] = []
    engine = choose_engine("minimac4")
    return engine.impute(task, progress=shares.append), shares


def test_it_is_told_what_the_server_tells_it(program, task):
    program(
        'echo "$*" > "$TMPDIR/told"\n'
        'cd "$TMPDIR" && touch dose.vcf.gz info.vcf.gz empirical.vcf.gz && env > environment'
    )
    files, shares = impute(task)
    told = (task.folder / "told").read_text().split()
    options = dict(itertools.pairwise(told))
    assert options["--region"] == "chr20:40000001-60000000"
    assert options["--overlap"] == "500000"
    assert options["--format"] == "GT,DS,HDS,GP"
    assert options["--output-format"] == "vcf.gz"
    assert options["--min-r2"] == "0.3"
    assert options["--threads"] == "2"
    assert "--all-typed-sites" in told
    assert told[-1] == str(task.targets)
    assert options["--output"] == str(files.dose)
    with (task.folder / "minimac.map").open() as lines:
        assert next(lines).split("\t")[:2] == ["chr20", "."]
    assert shares == [1.0]


def test_it_sees_nothing_of_the_servers_environment(program, task, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    program('cd "$TMPDIR" && touch dose.vcf.gz info.vcf.gz empirical.vcf.gz && env > environment')
    impute(task)
    assert "s3cret" not in (task.folder / "environment").read_text()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "echo first >&2; echo 'no <map>' >&2; exit 3",
            "minimac4 ended with status 3: first\nno <map>",
        ),
        ("echo assertion >&2; kill -ABRT $$", "minimac4 was ended by SIGABRT: assertion"),
        ("exit 0", "minimac4 wrote no dose.vcf.gz."),
    ],
)
def test_failure_is_told_with_its_last_words(program, task, body, said):
    program(body)
    with pytest.raises(EngineFailed) as raised:
        impute(task)
    assert str(raised.value) == said


def test_one_that_hangs_is_stopped(program, task):
    program("exec sleep 600")
    found = Minimac4.find()
    assert found is not None
    hasty = Minimac4(program=found.program, version=found.version, timeout=0.5)
    with pytest.raises(EngineFailed, match=r"did not end within 0\.5 seconds"):
        hasty.impute(task, progress=lambda _: None)


def test_it_is_chosen_when_it_is_there(program, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(choose_engine("auto"), LiStephens)
    with pytest.raises(EngineFailed, match="not installed"):
        choose_engine("minimac4")
    program("exit 0")
    assert choose_engine("auto").version == "4.9.9"
    assert isinstance(choose_engine("numpy"), LiStephens)


def test_one_that_does_not_run_is_not_chosen(tmp_path, monkeypatch):
    path = tmp_path / "minimac4"
    path.write_text("#!/nowhere/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert isinstance(choose_engine("auto"), LiStephens)
