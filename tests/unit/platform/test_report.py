"""The demonstration's table and its JSON."""

import json
from dataclasses import replace

from apps.genotypes.accuracy import Accuracy, Agreement
from apps.genotypes.summary import ResultSummary
from federated_imputation.platform.report import (
    DemoResult,
    PanelResult,
    ResultFile,
    as_json,
    render,
)


def panel(name: str, r2: float | None = 0.966) -> PanelResult:
    part = Agreement(sites=2_754, found=2_700, r2=r2)
    return PanelResult(
        panel=name,
        node="node-afr",
        job_id="0c8e",
        service_job_id="job-1",
        status="completed",
        submissions=1,
        seconds=12.34,
        summary=ResultSummary(
            samples=60, typed=1_633, imputed=15_570, typed_only=23, mean_r2=0.7571, source="E 1.0"
        ),
        accuracy=Accuracy(
            samples=60, total=Agreement(sites=22_804, found=15_000, r2=r2), bins=(part,) * 4
        ),
        files=(ResultFile(name="chr_20.zip", size=5, sha256="ab", path="/x/chr_20.zip"),),
        events=("pending: Created.",),
    )


def result(*panels: PanelResult, study: str = "SIMULATED study, 60 samples") -> DemoResult:
    return DemoResult(
        study=study,
        simulated=True,
        samples=60,
        panels=panels,
        seconds=31.0,
        addresses={"monolith": "http://127.0.0.1:8010"},
    )


def test_render_says_what_the_study_is_and_how_good_each_panel_was() -> None:
    text = render(result(panel("Kit AFR (SIMULATED)"), panel("Kit EUR (SIMULATED)", r2=0.5)))

    assert text.startswith("SIMULATED study, 60 samples\n")
    rows = [line.split("  ") for line in text.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["Kit AFR (SIMULATED)", "E 1.0", "1,633", "15,570", "23", "0.757", "12.3 s"] in cells
    assert ["Kit AFR (SIMULATED)", *["0.966"] * 5] in cells
    assert ["Kit EUR (SIMULATED)", *["0.500"] * 5] in cells
    assert ["sites compared", *["2,754"] * 4, "22,804"] in cells


def test_render_puts_the_study_without_phase_below_its_panel() -> None:
    afr, eur = panel("Kit AFR (SIMULATED)"), panel("Kit EUR (SIMULATED)", r2=0.5)
    phased = replace(afr.summary, phasing="beagle 5.4 (22Jul22.46e)")
    other = replace(panel("Kit AFR (SIMULATED)", r2=0.961), summary=phased)
    whole = replace(result(afr, eur), unphased=(other,))

    lines = [line.strip() for line in render(whole).splitlines()]
    titles = ("Kit AFR", "unphased, by Beagle", "Kit EUR")
    rows = [line for line in lines if line.startswith(titles)]
    assert [row[:7] for row in rows] == ["Kit AFR", "unphase", "Kit EUR"] * 2
    assert rows[4].split()[-5:] == ["0.961"] * 5
    assert max(map(len, render(whole).splitlines())) <= 100
    assert as_json(whole)["unphased"][0]["engine"] == "E 1.0"


def test_render_shows_a_dash_where_nothing_could_be_measured() -> None:
    assert "–" in render(result(panel("A", r2=None)))  # noqa: RUF001


def test_render_fits_a_hundred_columns_whatever_the_names() -> None:
    text = render(result(panel("A panel with quite a long name, of a faraway place"), panel("B")))

    assert max(map(len, text.splitlines())) <= 100


def test_json_holds_everything_and_the_engine() -> None:
    content = json.loads(json.dumps(as_json(result(panel("A")))))

    assert content["simulated"] is True
    assert content["panels"][0]["engine"] == "E 1.0"
    assert content["panels"][0]["accuracy"]["total"]["r2"] == 0.966
    assert content["panels"][0]["files"][0]["sha256"] == "ab"
