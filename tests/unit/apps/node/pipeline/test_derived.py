import threading

import pytest

from apps.node.pipeline.derived import derived


def test_two_that_want_the_same_file_make_it_once(tmp_path):
    made = []
    inside = threading.Event()
    go_on = threading.Event()

    def make(path):
        made.append(path)
        inside.set()
        assert go_on.wait(30)
        path.write_text("content")

    found = []
    first = threading.Thread(target=lambda: found.append(derived(tmp_path, "x", make)))
    second = threading.Thread(target=lambda: found.append(derived(tmp_path, "x", make)))
    first.start()
    assert inside.wait(30)
    second.start()
    assert not (tmp_path / "cache" / "x").exists()
    go_on.set()
    first.join()
    second.join()
    assert len(made) == 1
    assert found == [tmp_path / "cache" / "x"] * 2
    assert found[0].read_text() == "content"


def test_failed_making_leaves_nothing_that_could_be_taken_for_it(tmp_path):
    def fail(path):
        path.write_text("half")
        raise KeyError("disk")

    with pytest.raises(KeyError):
        derived(tmp_path, "x", fail)
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [".x.lock"]


def test_left_over_of_a_killed_maker_is_removed(tmp_path):
    (tmp_path / "cache" / ".x.making-killed").mkdir(parents=True)

    def make(path):
        path.write_text("content")

    derived(tmp_path, "x", make)
    assert {p.name for p in (tmp_path / "cache").iterdir()} == {"x", ".x.lock"}
