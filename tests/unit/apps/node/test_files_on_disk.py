"""Files and rows of the node: what a row promises is on the disk before it, and stays there."""

import os
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from django.utils import timezone

from apps.node import workspaces
from apps.node.operations import runs
from apps.node.pipeline.derived import derived
from apps.node.runner import Runner
from apps.shared import durable

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def synced(monkeypatch) -> list[Path]:
    """Files and folders that the kernel was asked to bring to the disk, in order."""
    paths: list[Path] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


def test_accepted_upload_is_on_the_disk(amina, synced):
    job = amina.submitted()

    folder = workspaces.workspace(job.pk).resolve()
    (upload,) = (folder / "input").iterdir()
    assert synced[0].parent == workspaces.uploads_root().resolve()
    assert synced[1:] == [folder / "input", folder, folder.parent]
    assert upload.is_file()


def test_offered_file_is_on_the_disk(amina, synced):
    job = amina.submitted()
    output = workspaces.workspace(job.pk).resolve() / "output"
    (output / "statistics").mkdir()
    (output / "statistics" / "a.txt").write_text("abc")
    synced.clear()

    assert workspaces.settle_output(job.pk, "output", "statistics/a.txt") == 3

    assert synced == [output / "statistics" / "a.txt", output / "statistics", output]


def test_derived_file_is_on_the_disk_before_it_has_its_name(tmp_path, synced):
    def make(path: Path) -> None:
        path.mkdir()
        (path / "a.npy").write_bytes(b"x")

    made = derived(tmp_path, "index", make)

    assert [path.name for path in synced] == ["a.npy", "index"]
    assert all(made.parent in path.parents and path.parent != made.parent for path in synced)


def test_tree_is_brought_to_the_disk_from_its_leaves(tmp_path, synced):
    root = tmp_path / "tree"
    (root / "a").mkdir(parents=True)
    (root / "a" / "b").write_bytes(b"x")

    durable.sync_tree(root)

    assert synced == [root / "a" / "b", root / "a", root]


def test_workspace_that_vanishes_while_it_is_looked_at_is_no_orphan(amina):
    amina.submitted()
    (workspaces.jobs_root() / "job-20200101-000000-000").symlink_to("nowhere")

    assert runs.remove_orphans(now=timezone.now()) == 0


def test_disk_that_refuses_the_sweep_does_not_end_the_server(amina, caplog):
    amina.submitted()
    ended = Event()
    runner = Runner(
        slots=0,
        lock_patience=timedelta(milliseconds=50),
        keep_every=timedelta(milliseconds=20),
        end_process=ended.set,
    )
    loop = workspaces.jobs_root() / "loop"
    loop.symlink_to("loop")
    runner.start()
    try:
        assert not ended.wait(0.5)
        assert "The disk refuses the sweep" in caplog.text
    finally:
        runner.stop()
