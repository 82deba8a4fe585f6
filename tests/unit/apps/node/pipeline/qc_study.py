"""A random panel and a random study with every class of quality control in it."""

import random
from dataclasses import dataclass, field
from typing import Any

from tests.unit.apps.node.pipeline.qc_oracle import CHUNK, NON_PAR, OTHER_STRAND, Line, region

SAMPLES = 12
PANEL_SAMPLES = 9
BASES = "ACGT"
# Where chunks lie, and what is wrong with each.
CHUNKS = {"2": (0, 1, 2, 4, 5), "20": (0, 1, 2)}
KINDS = ("good", "good", "typed only", "few", "low call rate", "nothing")
CLASSES = (
    *("Match",) * 8,
    *("Multiallelic", "Invalid", "Dup", "Repeated", "Filtered", "InDel", "Monomorphic"),
    *("Typed only", "Ambiguous", "Switch", "Flip", "Flip and switch", "Mismatch"),
    *("Low call rate", "All missing", "Half missing", "Lower case", "Symbolic"),
)


@dataclass
class World:
    """All that is uploaded, and what it is compared with; records by chromosome."""

    build: str
    panel: dict[str, list[Line]] = field(default_factory=dict)
    study: dict[str, list[Line]] = field(default_factory=dict)
    samples: list[str] = field(default_factory=lambda: [f"s{n}" for n in range(SAMPLES)])
    men: set[int] = field(default_factory=set)
    panel_men: set[int] = field(default_factory=set)


def make_world(seed: int, *, x: bool, sites: int, confused: bool = False) -> World:
    """Make a world.

    Args:
        x: Whether there is a chromosome X.
        sites: About how many records a chunk has.
        confused: Whether some men have two alleles at some sites of X.
    """
    return _Maker(random.Random(seed), sites, confused=confused).make(x=x)


class _Maker:
    def __init__(self, generator: random.Random, sites: int, *, confused: bool) -> None:
        self.random = generator
        self.sites = sites
        self.confused = confused
        self.world = World(build=generator.choice(["hg19", "hg38"]))
        self.world.men = set(generator.sample(range(SAMPLES), 5))
        self.world.panel_men = set(generator.sample(range(PANEL_SAMPLES), 4))

    def make(self, *, x: bool) -> World:
        for name, numbers in CHUNKS.items():
            for number in numbers:
                kind = self.random.choice(KINDS) if number else "good"
                self._stretch(name, number * CHUNK + 1, (number + 1) * CHUNK, kind)
        if x:
            first, last = NON_PAR[self.world.build]
            self._stretch("X", 60_000, first - 1, "good")
            self._stretch("X", first, 20_000_000, "good")
            self._stretch("X", 60_000_001, 80_000_000, "few")
            self._stretch("X", last + 1, last + 300_000, "good")
        for lines in (*self.world.panel.values(), *self.world.study.values()):
            lines.sort(key=lambda line: line.position)
        return self.world

    def _stretch(self, name: str, start: int, end: int, kind: str) -> None:
        count = {"few": 2}.get(kind, self.sites + self.random.randrange(self.sites))
        # Both ends too, and the edges of the windows around.
        edges = {p for p in (start, end, start + 4_999_999, start + 5_000_000) if p <= end}
        chosen = {self.random.randint(start, end) for _ in range(count)} | (
            edges if kind != "few" else set()
        )
        lazy = self.random.randrange(SAMPLES)
        for position in sorted(chosen):
            made = {
                "few": "Match",
                "typed only": self.random.choice(["Typed only"] * 3 + ["Match"]),
                "nothing": self.random.choice(["Multiallelic", "Invalid", "Filtered", "InDel"]),
                "low call rate": "Match",
            }.get(kind) or self.random.choice(CLASSES)
            self._site(name, position, made, lazy if kind == "low call rate" else None)

    def _site(self, name: str, position: int, made: str, lazy: int | None) -> None:
        world, rng = self.world, self.random
        where = region(name, position, world.build)
        ref, alt = rng.sample(BASES, 2)
        if made == "Ambiguous":
            alt = OTHER_STRAND[ref]
        elif made in {"Switch", "Flip", "Flip and switch", "Mismatch"}:
            alt = rng.choice([b for b in BASES if b not in (ref, OTHER_STRAND[ref])])
        contig = f"chr{name}" if world.build == "hg38" else name
        if made != "Typed only":
            self._panel_site(contig, name, where, position, ref, alt)
        line = Line(
            chromosome=contig,
            position=position,
            id=rng.choice([".", f"rs{position}"]),
            ref=ref,
            alt=alt,
            flag=rng.choice(["PASS", "."]),
            calls=self._calls(where, world.men, SAMPLES),
        )
        if self.confused and where == "X.nonPAR" and rng.random() < 0.3:
            line.calls[rng.choice(sorted(world.men))] = "0|1"
        if lazy is not None and rng.random() < 0.7:
            line.calls[lazy] = self._missing(where, lazy)
        line = self._change(line, made, where)
        own = world.study.setdefault(name, [])
        own.append(line)
        if made == "Repeated":
            own.append(line._replace(id="again"))

    def _panel_site(
        self, contig: str, name: str, where: str, position: int, ref: str, alt: str
    ) -> None:
        rng = self.random
        own = self.world.panel.setdefault(name, [])
        pairs = [(ref, alt)]
        if rng.random() < 0.15:  # another site of the panel at this position, before or behind
            others = [(ref, b) for b in BASES if b not in (ref, alt)] + [(ref, ref + "T")]
            pairs.insert(rng.randrange(2), rng.choice(others))
        for one, other in pairs:
            calls = self._calls(where, self.world.panel_men, PANEL_SAMPLES)
            if rng.random() < 0.03:  # nobody carries it: the panel does not have the site
                calls = [call.replace("1", "0") for call in calls]
            if rng.random() < 0.03:  # everybody does
                calls = [call.replace("0", "1") for call in calls]
            own.append(Line(contig, position, ".", one, other, "PASS", calls))

    def _calls(self, where: str, men: set[int], count: int) -> list[str]:
        rng, share = self.random, self.random.choice([0.1, 0.5, 0.9, 1.0])

        def one() -> str:
            return str(int(rng.random() < share))

        haploid = men if where == "X.nonPAR" else set()
        calls = [one() if at in haploid else f"{one()}|{one()}" for at in range(count)]
        calls[0] = "1" if 0 in haploid else "0|1"
        return calls

    def _missing(self, where: str, sample: int) -> str:
        if where == "X.nonPAR" and sample in self.world.men:
            return "."
        return self.random.choice([".", ".|."])

    def _change(self, line: Line, made: str, where: str) -> Line:
        ref, alt, rng = line.ref, line.alt, self.random
        other = next(b for b in BASES if b not in (ref, alt))
        flipped = {"ref": OTHER_STRAND[ref], "alt": OTHER_STRAND.get(alt, alt)}
        silent = [call.replace("1", "0") for call in line.calls]
        few = rng.choice([1, 2, 3])
        change: dict[str, dict[str, Any]] = {
            "Multiallelic": {"alt": f"{alt},{other}"},
            "Invalid": {"alt": rng.choice(["*", "N", "<DEL>"])},
            "Symbolic": {"ref": "N"},
            "Lower case": {"ref": ref.lower()},
            "Dup": {"flag": rng.choice(["DUP", "q10;DUP"])},
            "Filtered": {"flag": "LowQual"},
            "InDel": rng.choice([{"alt": alt + "G"}, {"ref": ref + "G"}]),
            "Monomorphic": {"calls": silent},
            "Ambiguous": {"ref": alt, "alt": ref},
            "Switch": {"ref": alt, "alt": ref},
            "Flip": flipped,
            "Flip and switch": {"ref": flipped["alt"], "alt": flipped["ref"]},
            "Mismatch": {"alt": OTHER_STRAND[ref] if rng.random() < 0.5 else other},
            "Low call rate": {"calls": self._without(line.calls, where, few)},
            "All missing": {"calls": self._without(line.calls, where, SAMPLES)},
            "Half missing": {"calls": self._half(line.calls)},
        }
        return line._replace(**change.get(made, {}))

    def _without(self, calls: list[str], where: str, count: int) -> list[str]:
        gone = set(self.random.sample(range(SAMPLES), count))
        return [self._missing(where, at) if at in gone else c for at, c in enumerate(calls)]

    def _half(self, calls: list[str]) -> list[str]:
        at = self.random.choice([n for n, call in enumerate(calls) if "|" in call])
        half = self.random.choice(["1|.", ".|1", "0|.", ".|0"])
        return [half if n == at else call for n, call in enumerate(calls)]
