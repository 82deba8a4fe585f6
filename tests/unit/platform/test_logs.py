"""Logs are private, capped, and followed across a replacement."""

import os

from federated_imputation.platform.logs import follow, last_lines, open_log


def test_a_log_is_appended_to_and_private(tmp_path):
    path = tmp_path / "x.log"
    for word in (b"one\n", b"two\n"):
        descriptor = open_log(path)
        os.write(descriptor, word)
        os.close(descriptor)
    assert path.read_text() == "one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_has_grown_too_large_is_put_aside(tmp_path):
    path = tmp_path / "x.log"
    with path.open("wb") as log:
        log.truncate(5_000_001)
    os.close(open_log(path))
    assert path.stat().st_size == 0
    assert (tmp_path / "x.log.1").stat().st_size == 5_000_001


def test_the_last_lines_are_found(tmp_path):
    path = tmp_path / "x.log"
    assert last_lines(path, 3) == ""
    path.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert last_lines(path, 2) == "line 49998\nline 49999"


def test_following_goes_on_in_the_file_that_replaces_the_log(tmp_path):
    path, successor = tmp_path / "x.log", tmp_path / "new"
    path.write_text("before\n")
    successor.write_text("after\n")

    def append() -> None:
        with path.open("a") as log:
            log.write("more\n")

    happenings = iter([append, lambda: successor.replace(path)])
    lines = follow(path, wait=lambda _: next(happenings)() and None)
    assert next(lines) == "more\n"
    assert next(lines) == "after\n"
