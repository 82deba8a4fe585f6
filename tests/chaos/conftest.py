"""One platform for the whole folder; each test leaves it as it found it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.site import Site, eventually
from tests.chaos.small_disks import CannotMount, SmallDisks, mounted
from tests.michigan_server import MichiganServer
from tests.platforms import own_platform
from tests.servers import free_port


@pytest.fixture(scope="session")
def platform() -> Iterator[Site]:

    port = free_port()
    with own_platform(
        NODE_ENGINE="numpy",
        RATE_LIMITS="off",
        GUARDED_HTTP_ALLOW=f"127.0.0.1:{port}",
    ) as own:
        own.up()
        yield Site(own, service_port=port)


@pytest.fixture
def site(platform: Site) -> Iterator[Site]:
    """The platform, whole before and after."""
    assert platform.serves()
    yield platform
    eventually(platform.serves)
    platform.end_jobs()


@pytest.fixture
def service(site: Site) -> Iterator[MichiganServer]:
    """A scripted service that jobs of the platform may be sent to."""
    with MichiganServer(port=site.service_port) as server:
        server.states = (1, 4)
        server.files = {"qc_report.txt": b"whole"}
        yield server


@pytest.fixture
def small_disks(site: Site, tmp_path: Path) -> SmallDisks:
    """Small file systems, where this user may mount them."""
    try:
        with mounted(tmp_path, 2**20, user=os.geteuid()):
            return SmallDisks(site)
    except (CannotMount, FileNotFoundError) as error:
        pytest.skip(f"A small file system needs root; files are limited by RLIMIT_FSIZE. {error}")
