"""Panels for operators who have no files: real genotypes from Debian, or simulated ones.

The simulated people descend by the model of Gutenkunst et al. 2009 (PLoS Genetics 5:e1000695) for
Africans and Europeans, without its Asian branch; mutations are those of Jukes and Cantor at 1.29e-8
and crossovers 1e-8 a base pair and generation. msprime, which draws them, is an optional package.
"""

import gzip
import logging
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from apps.genotypes.bgzf import BgzfWriter
from apps.genotypes.builds import AUTOSOMES, LENGTHS, spelled
from apps.node.example import INSTALLED, MAP, REFERENCE, fetch_example, find_example
from apps.node.pipeline.panels import Panel, Population, write_panel

__all__ = ["POPULATIONS", "CannotSimulate", "Plan", "build_real", "build_simulated"]

POPULATIONS: Final = ("AFR", "EUR")

_BUILD: Final = "hg38"
_YEARS: Final = 25
_CROSSOVER: Final = 1e-8
_MUTATION: Final = 1.29e-8
_EXAMPLE_SAMPLES: Final = 300
_OFF: Final = Population(id="off", name="Skip", samples=-1)


class CannotSimulate(Exception):
    """A simulated panel cannot be made; the text says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to simulate.

    Attributes:
        population: One of `POPULATIONS`.
        samples: People, of two haplotypes each.
        chromosome: 1 to 22.
        start, length: The stretch, in base pairs of hg38; `start` from 1.
        seed: The same plan gives the same panel.
    """

    population: str
    samples: int
    chromosome: str
    start: int
    length: int
    seed: int


def build_simulated(root: Path, *, id: str, version: str, plan: Plan) -> Panel:  # noqa: A002
    """Simulate a panel and put it below `root`; it says SIMULATED wherever it is named.

    Raises:
        CannotSimulate: msprime is not installed, or the plan is not possible.
        PanelError: There is another panel under this id and version.
    """
    _check(plan)
    trees = _draw(plan)
    with tempfile.TemporaryDirectory(prefix="simulated-") as name:
        genotypes, map_file = Path(name) / "panel.vcf.gz", Path(name) / "map.gz"
        _write_genotypes(trees, plan, genotypes)
        _write_map(plan, map_file)
        return write_panel(
            root,
            id=id,
            version=version,
            name=f"{plan.population} (SIMULATED)",
            build=_BUILD,
            populations=[
                Population(id=plan.population.lower(), name=plan.population, samples=plan.samples),
                _OFF,
            ],
            genotypes={plan.chromosome: genotypes},
            maps={plan.chromosome: map_file},
            simulated=True,
        )


def build_real(
    root: Path,
    *,
    id: str,  # noqa: A002
    version: str,
    say: Callable[[str], None] | None = None,
    installed: Path = INSTALLED,
    fetch: Callable[[Path], None] = fetch_example,
) -> Panel:
    """Put the 300 Europeans of Debian's shapeit4-example below `root`, fetching them if need be.

    Args:
        say: Told in one sentence what takes long.

    Raises:
        RealDataMissing: They cannot be had.
        PanelError: There is another panel under this id and version.
    """
    with tempfile.TemporaryDirectory(prefix="example-") as name:
        examples = find_example(
            Path(name) / "shapeit4-example",
            installed=installed,
            fetch=fetch,
            say=say or (lambda text: None),
        )
        return write_panel(
            root,
            id=id,
            version=version,
            name="1000 Genomes EUR, chr20:1-4 Mb",
            build="hg19",
            populations=[Population(id="eur", name="EUR", samples=_EXAMPLE_SAMPLES), _OFF],
            genotypes={"20": examples / REFERENCE},
            maps={"20": examples / MAP},
            simulated=False,
        )


def _check(plan: Plan) -> None:
    if plan.population not in POPULATIONS:
        raise CannotSimulate(f"population {plan.population!r} is none of {', '.join(POPULATIONS)}")
    if plan.chromosome not in AUTOSOMES:
        raise CannotSimulate(f"chromosome {plan.chromosome!r} is not 1 to 22")
    if not 2 <= plan.samples <= 100_000:
        raise CannotSimulate("a simulated panel has from 2 to 100,000 samples")
    last = LENGTHS[_BUILD][plan.chromosome]
    if plan.start < 1 or plan.length < 10_000 or plan.start + plan.length - 1 > last:
        raise CannotSimulate(
            f"the stretch must have 10,000 base pairs or more within 1 to {last:,} of chromosome "
            f"{plan.chromosome}"
        )
    if plan.seed < 1:
        raise CannotSimulate("the seed must be 1 or more")


def _draw(plan: Plan) -> Any:
    """The trees of the plan's people, with mutations."""
    try:
        import msprime
    except ModuleNotFoundError as error:
        raise CannotSimulate(
            "msprime is not installed; install it with `pip install msprime`, or build a panel "
            "with --real"
        ) from error
    logging.getLogger("msprime").setLevel(logging.WARNING)  # it tells each of its steps
    demography = msprime.Demography()
    split, out_of_africa = 220_000 / _YEARS, 140_000 / _YEARS
    growth, since = 0.004, 21_200 / _YEARS
    demography.add_population(name="AFR", initial_size=12_300, initially_active=True)
    demography.add_population(
        name="EUR", initial_size=1_000 * math.exp(growth * since), growth_rate=growth
    )
    demography.set_symmetric_migration_rate(["AFR", "EUR"], 3e-5)
    demography.add_population_parameters_change(
        time=since, population="EUR", initial_size=2_100, growth_rate=0
    )
    demography.add_symmetric_migration_rate_change(
        time=since, populations=["AFR", "EUR"], rate=25e-5
    )
    demography.add_population_split(time=out_of_africa, derived=["EUR"], ancestral="AFR")
    demography.add_population_parameters_change(time=split, population="AFR", initial_size=7_300)
    ancestry = msprime.sim_ancestry(
        samples={plan.population: plan.samples},
        demography=demography,
        sequence_length=plan.length,
        recombination_rate=_CROSSOVER,
        random_seed=plan.seed,
    )
    return msprime.sim_mutations(ancestry, rate=_MUTATION, random_seed=plan.seed)


def _write_genotypes(trees: Any, plan: Plan, path: Path) -> None:
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
    names = [f"SIM{number:05d}" for number in range(plan.samples)]
    with BgzfWriter(path, level=1) as out:
        out.write(("##fileformat=VCFv4.2\n" + "\t".join([*columns, *names]) + "\n").encode())
        for line in _lines(trees, plan):
            out.write(line.encode())


def _lines(trees: Any, plan: Plan) -> Iterator[str]:
    contig = spelled(plan.chromosome, _BUILD)
    for variant in trees.variants():
        # A second mutation at a site may bring a third allele, or take the first one back.
        if len(variant.alleles) != 2 or not 0 < variant.genotypes.sum() < 2 * plan.samples:
            continue
        ref, alt = variant.alleles
        position = plan.start + int(variant.site.position)
        pairs = variant.genotypes.reshape(-1, 2).tolist()
        calls = "\t".join(f"{one}|{other}" for one, other in pairs)
        yield f"{contig}\t{position}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t{calls}\n"


def _write_map(plan: Plan, path: Path) -> None:
    last = plan.start + plan.length - 1
    centimorgans = 100 * _CROSSOVER * (last - plan.start)
    with gzip.open(path, "wt", encoding="ascii") as out:
        out.write("pos\tchr\tcM\n")
        out.write(f"{plan.start}\t{plan.chromosome}\t0\n")
        out.write(f"{last}\t{plan.chromosome}\t{centimorgans:.6f}\n")
