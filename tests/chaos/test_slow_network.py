"""A slow line between the platform and a node: jobs end right, and everybody else is served.

Short: a throttling proxy. Long: the demonstration on a line with delay, loss and little bandwidth
(`tc netem` in a network namespace, for root).
"""

import shutil
import subprocess
import sys

import pytest

from federated_imputation.platform.state import CHECKOUT
from tests.chaos.proxies import Proxy
from tests.chaos.site import Site, eventually, study_of
from tests.michigan_server import MichiganServer
from tests.platforms import own_platform

SIZE = 400_000
RATE = 200_000  # bytes a second


def test_a_slow_transfer_ends_right_and_holds_up_nobody(site: Site):
    with (
        MichiganServer() as behind,
        Proxy(behind.url, port=site.service_port, rate=RATE) as line,
    ):
        behind.states, behind.files = (4,), {"qc_report.txt": bytes(SIZE)}
        panel = site.register(line.url, token=behind.token)
        job_id = site.send(site.form(panel, content=study_of(SIZE))).json()["id"]
        eventually(lambda: line.passed > SIZE // 4)

        other = site.session.get(f"{site.url}/api/services/", timeout=30)
        while_sending = site.api.job(job_id)

        job = site.wait(job_id)
        (file,) = site.api.files(job_id)
    assert other.status_code == 200
    assert not while_sending.is_over
    assert job.status == "completed", job.reason
    assert behind.submissions[f"fip-{job_id}"] == 1
    assert file.size == SIZE


def test_a_line_that_stands_still_in_the_middle_goes_on_where_it_was(site: Site):
    with MichiganServer() as behind, Proxy(behind.url, port=site.service_port) as line:
        behind.states, behind.files = (4,), {"qc_report.txt": b"whole"}
        panel = site.register(line.url, token=behind.token)
        line.hold_at(SIZE // 2)
        job_id = site.send(site.form(panel, content=study_of(SIZE))).json()["id"]
        assert line.held.wait(60)
        held = site.api.job(job_id)
        other = site.send(site.form(site.panel(), content=study_of(2_000))).json()["id"]
        # Straight to the node, past the one that stands still; its file is none, and it is told.
        refused = site.wait(other)
        line.release()
        job = site.wait(job_id)
    assert not held.is_over
    assert refused.status == "failed"
    assert refused.reason
    assert job.status == "completed", job.reason
    assert behind.submissions[f"fip-{job_id}"] == 1


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_the_demonstration_runs_on_a_bad_line():
    """10 ms there and back, one packet in a hundred lost, 20 Mbit/s for all together."""
    if shutil.which("tc") is None or shutil.which("unshare") is None:
        pytest.skip("needs tc and unshare")
    line = "ip link set lo up && tc qdisc add dev lo root netem delay 5ms loss 1% rate 20mbit"
    if subprocess.run(
        ["unshare", "-n", "sh", "-c", line],  # noqa: S607
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("needs root for a network namespace with netem")
    manage = f"{sys.executable} {CHECKOUT / 'manage.py'} platform"
    with own_platform(NODE_ENGINE="numpy") as own:
        done = subprocess.run(
            [  # noqa: S607
                "unshare",
                "-n",
                "sh",
                "-c",
                f"{line} && {manage} up && {manage} demo; status=$?; {manage} down; exit $status",
            ],
            env=own.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
