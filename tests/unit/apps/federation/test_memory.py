"""Files of any size pass in constant memory, measured in a child process."""

import json
import subprocess
import sys
from pathlib import Path

from tests.michigan_server import zip_of
from tests.michigan_troubles import Reply

SIZE = 64 * 2**20
MOST_GROWTH = 24 * 2**20  # of the peak over an idle process that has done one small call
CHILD = """
import json, resource, sys
from pathlib import Path
from apps.federation.michigan import Michigan
from apps.federation.protocol import ExternalFile, InputFile, Submission
from apps.shared.http.client import GuardedClient

url, target, token, folder, big = sys.argv[1:]
folder = Path(folder)
michigan = Michigan(base_url=url, token=token, client=GuardedClient(allow=frozenset({target})))

def submit(path):
    return michigan.submit(Submission(
        tag="fip-1", panel="p", files=(InputFile(path=path, name="a.vcf.gz"),), build="hg19",
        phasing="no_phasing", population="afr",
    ))

def fetch(name):
    file = ExternalFile(name=name, locator="a" * 64)
    return michigan.download(file, folder / name, password="Secret-1").size

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

small = folder / "small"
small.write_bytes(b"x")
submit(small), fetch("small.zip")
before = peak()
external_id = submit(Path(big))
after_upload = peak()
size = fetch("big.zip")
print(json.dumps({"upload": after_upload - before, "download": peak() - before,
                  "id": external_id, "size": size}))
"""


def test_a_large_upload_and_download_need_little_memory(server, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"genotype" * (SIZE // 8))
    large_zip = zip_of({"a": big.read_bytes()}, password="Secret-1", level=0)
    small_zip = zip_of({"a": b"a"}, password="Secret-1")
    server.next("download", Reply(200, small_zip), Reply(200, large_zip))
    folder = tmp_path / "child"
    folder.mkdir()

    child = subprocess.run(
        [sys.executable, "-c", CHILD, server.url, server.target, server.token, folder, big],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert child.returncode == 0, child.stderr
    told = json.loads(child.stdout)
    assert server.jobs[told["id"]].uploads["a.vcf.gz"][0] == SIZE
    assert told["size"] == len(large_zip) > SIZE
    assert told["upload"] < MOST_GROWTH
    assert told["download"] < MOST_GROWTH
