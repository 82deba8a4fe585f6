"""The check as a child process and as a command: what they print, and how they end."""

import json
import signal
import subprocess
import sys

import pytest

from apps.genotypes.check.report import MalformedReport, Report
from apps.genotypes.commands import main
from tests.unit.apps.genotypes.check.files import bgzf, panel, row, site, text

SAMPLES = tuple(f"s{number}" for number in range(20))
LIMITS = json.dumps({"limits": {"min_samples": 1}, "panels": {"a=b": {"min_snps": 1}}})


def good(*positions, **fields):
    return text(
        *(row(position, calls=("0|1",) * 20, **fields) for position in positions), samples=SAMPLES
    )


def child(*arguments, **more):
    command = [sys.executable, "-m", "apps.genotypes.check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def test_the_child_tells_its_progress_and_then_the_report(tmp_path):
    path = bgzf(tmp_path / "x", text(row()))
    tables = panel(tmp_path, site(5)).tables
    done = child(
        path, "--name", "mine.vcf.gz", "--panel", f"a=b={tables}", "--panel", "other=",
        "--build", "hg38", "--phasing", "no", "--rules", LIMITS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    *progress, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(line) for line in progress] == [["stage", "progress"]] * len(progress)
    assert {line["stage"] for line in progress} == {1, 2, 3}
    assert progress == sorted(progress, key=lambda line: (line["stage"], line["progress"]))
    report = Report.from_json(last["report"])
    assert report.file == "mine.vcf.gz"
    assert [(p.key, p.known, p.accepted) for p in report.panels] == [
        ("a=b", True, "yes"),
        ("other", False, "unknown"),
    ]


def test_the_child_reports_a_file_that_is_none(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\1\2")
    done = child(tmp_path / "x", "--name", "x")
    assert done.returncode == 0
    report = Report.from_json(json.loads(done.stdout.splitlines()[-1])["report"])
    assert [finding.rule for finding in report.findings] == ["format-unknown"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing",), "No such file"),
        (("x", "--rules", "{"), "--rules or --panel"),
        (("x", "--rules", '{"limits": {"odd": 1}}'), "--rules or --panel"),
        (("x", "--panel", "afr"), "has no ="),
    ],
)
def test_the_child_says_in_a_sentence_why_there_is_no_report(tmp_path, arguments, said):
    bgzf(tmp_path / "x", text(row()))
    name, *rest = arguments
    done = child(tmp_path / name, "--name", "x", *rest)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_child_ends_at_sigterm(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(text(row()) + (b"x" * 200 + b"\n") * 500_000)
    command = [sys.executable, "-m", "apps.genotypes.check", str(path), "--name", "x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("value", [None, {}, {"file": "a", "stage": 1, "facts": {}}])
def test_a_report_that_is_none_is_refused(value):
    with pytest.raises(MalformedReport):
        Report.from_json(value)


def test_the_command_says_yes_to_a_good_file(tmp_path, capsys):
    path = bgzf(tmp_path / "x.vcf.gz", good(5, 6, 7))
    panel(tmp_path, *(site(position) for position in (5, 6, 7)))
    assert main(["check", str(path), "--panel", str(tmp_path / "afr.vcf.gz")]) == 0
    said = capsys.readouterr().out
    assert "20 samples, 3 records, chromosome chr20, phased, build hg38" in said
    assert "The services of these panels would take this file." in said
    assert "100.0%" in said


def test_the_command_says_where_what_and_how_to_mend(tmp_path, capsys):
    path = bgzf(tmp_path / "x.vcf.gz", good(5, 7, 6))
    assert main(["check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "x.vcf.gz:6: Records are not in the order of positions." in said
    assert "Sort the file: bcftools sort." in said
    assert "manage.py genotypes repair x.vcf.gz --do sort --into FOLDER" in said
    assert said.endswith("A service would refuse this file.\n")


def test_the_command_refuses_what_a_panel_refuses(tmp_path, capsys):
    path = bgzf(tmp_path / "x.vcf.gz", good(5, 6, 7))
    tables = panel(tmp_path, site(9)).tables
    assert main(["check", str(path), "--panel", str(tables), "--json"]) == 1
    report = Report.from_json(json.loads(capsys.readouterr().out))
    assert report.panels[0].reasons == (
        "No chunks passed the QC step. Imputation cannot be started!",
    )


def test_the_command_cannot_read_what_is_not_there(tmp_path, capsys):
    assert main(["check", str(tmp_path / "missing")]) == 2
    assert "missing" in capsys.readouterr().err
    path = bgzf(tmp_path / "x.vcf.gz", good(5))
    assert main(["check", str(path), "--panel", str(path.with_name("no"))]) == 2
