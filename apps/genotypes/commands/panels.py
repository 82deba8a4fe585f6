"""Panels as the commands are given them: a folder of site tables, or any VCF of their sites."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.genotypes.sites import write_site_tables

__all__ = ["site_tables"]


@contextmanager
def site_tables(panel: Path) -> Iterator[Path]:
    """The folder of a panel's tables; those of a VCF are made for as long as they are needed.

    Raises:
        SitesError: The VCF is not as it must be.
        OSError: It cannot be read, or the tables not be written.
    """
    if panel.is_dir():
        yield panel
        return
    with tempfile.TemporaryDirectory(prefix="sites-") as folder:
        write_site_tables(panel, Path(folder))
        yield Path(folder)
