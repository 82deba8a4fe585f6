"""A client learns from the form which phasing this node can do, before it uploads anything."""

import pytest

SCHEMA = "/api/v2/server/apps/imputationserver2"


@pytest.mark.parametrize(
    ("programs", "offered"),
    [
        ((), ["no_phasing"]),
        (("beagle",), ["beagle", "no_phasing"]),
        (("bio-eagle",), ["eagle", "no_phasing"]),
        (("eagle", "beagle"), ["eagle", "beagle", "no_phasing"]),
    ],
)
def test_phasing_is_offered_as_far_as_it_is_installed(
    amina, tmp_path, monkeypatch, programs, offered
):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in programs:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    (phasing,) = (p for p in amina.get(SCHEMA).json()["params"] if p["id"] == "phasing")
    assert [value["key"] for value in phasing["values"]] == offered
    assert phasing["value"] == offered[0]
