import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from apps.genotypes.commands import main
from apps.genotypes.repair.orders import Repair
from tests.unit.apps.genotypes.repair.damaged import KIT, STUDY, join, plain, shuffled, study

MANAGE = Path(__file__).resolve().parents[5] / "manage.py"


@pytest.fixture
def shuffled_study(tmp_path):
    header, records = study()
    path = tmp_path / "study.vcf"
    path.write_bytes(join(header, shuffled(records)))
    return path


def test_repair_says_what_it_did_what_it_made_and_what_to_look_at(shuffled_study, tmp_path, capsys):
    out = tmp_path / "out"
    panel = KIT / "panel_AFR.vcf.gz"
    status = main(
        ["repair", str(shuffled_study), "--do", "sort,swap", "--into", str(out),
         "--panel", str(panel)]
    )  # fmt: skip
    said = capsys.readouterr()
    assert status == 0
    assert said.err == ""
    assert f"{shuffled_study} is unchanged." in said.out
    assert re.search(r"sort +\d{3} records stood after one that belongs behind\.", said.out)
    assert re.search(r"swap +REF and ALT exchanged in 0 records of 633", said.out)
    assert f"manage.py genotypes check {out / 'study.vcf.gz'}" in said.out
    assert plain(out / "study.vcf.gz") == plain(STUDY)


def test_repair_prints_json(shuffled_study, tmp_path, capsys):
    arguments = ["repair", str(shuffled_study), "--do", "bgzip", "--into", str(tmp_path), "--json"]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert [made["name"] for made in said["made"]] == ["study.vcf.gz"]
    assert said["done"] == [{"repair": "bgzip", "count": 1, "text": "1 file packed."}]
    assert main(arguments) == 1
    assert json.loads(capsys.readouterr().out)["refused"]["rule"] == "name-taken"


def test_a_refusal_names_file_line_and_remedy(shuffled_study, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["repair", str(shuffled_study), "--do", "index", "--into", out]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{shuffled_study}, line ")
    assert "is out of order. Sort it in the same run.\nNothing was made.\n" in said
    assert main(["convert", str(tmp_path / "none.bed"), "--into", out]) == 1
    assert "No such file" in capsys.readouterr().err


def test_an_unknown_repair_is_refused_with_those_that_there_are(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["repair", "x.vcf", "--do", "mend", "--into", str(tmp_path)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "'mend' is no repair" in said
    assert all(one.value in said for one in Repair)


def test_the_command_needs_no_settings(shuffled_study, tmp_path):
    command = [sys.executable, MANAGE, "genotypes", "repair", shuffled_study, "--do", "sort"]
    subprocess.run([*command, "--into", tmp_path / "out"], check=True, capture_output=True, env={})
    assert (tmp_path / "out" / "study.vcf.gz").is_file()
