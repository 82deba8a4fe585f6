"""Reference panels on disk: one folder each, `<root>/<id>@<version>/`, with a manifest.

A folder appears complete or not at all: it is written beside its place and renamed. Its files
never change afterwards, so readers need no lock; other content is another version. What engines
derive from a panel lies in its folder `cache/` and may be deleted at any time. The one file that
may come later is `retired`: such a panel takes no new jobs, and those that have it keep it.

Chromosome X is three chromosomes here, `X.PAR1`, `X.nonPAR` and `X.PAR2`, since in each of them a
sample has the same number of haplotypes everywhere.
"""

from apps.node.pipeline.panels.manifest import (
    Panel,
    PanelChromosome,
    PanelError,
    Population,
    read_panel,
    read_panels,
)
from apps.node.pipeline.panels.retirement import offer_again, retire_panel
from apps.node.pipeline.panels.writing import write_panel

__all__ = [
    "Panel",
    "PanelChromosome",
    "PanelError",
    "Population",
    "offer_again",
    "read_panel",
    "read_panels",
    "retire_panel",
    "write_panel",
]
