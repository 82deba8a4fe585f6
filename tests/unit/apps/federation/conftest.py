from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.federation.michigan import Michigan
from apps.federation.protocol import InputFile, Submission
from apps.shared.http.client import GuardedClient
from tests.michigan_server import MichiganServer


@pytest.fixture
def server() -> Iterator[MichiganServer]:
    with MichiganServer() as server:
        yield server


@pytest.fixture
def client(server: MichiganServer) -> GuardedClient:
    return GuardedClient(allow=frozenset({server.target}))


@pytest.fixture
def michigan(server: MichiganServer, client: GuardedClient) -> Michigan:
    return Michigan(base_url=server.url, token=server.token, client=client)


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    study = tmp_path / "study.vcf.gz"
    study.write_bytes(bytes(range(256)) * 400)
    return Submission(
        tag="fip-1",
        panel="apps@kit-afr@1.0.0",
        files=(InputFile(path=study, name="chr20.vcf.gz"),),
        build="hg19",
        phasing="no_phasing",
        population="afr",
        r2_filter=0.3,
        password="Secret-1",
    )
