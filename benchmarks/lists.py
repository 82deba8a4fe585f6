"""Lists: pages of every list at 100,000 jobs, 10,000 users and 1,000 panels, 10 requests a second.

The load is an open loop: requests begin at their times whether or not those before were answered,
and the time of an answer counts from there, so that a slow one is not hidden by the wait for it.
One administrator, who sees all rows, asks for the first, the middle and the last page in turn.
The number of statements is held down by a test, since it is the same on any machine.
"""

import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import Row
from federated_imputation.platform.state import CHECKOUT
from tests.chaos.site import Site
from tests.platforms import own_platform

__all__ = ["run"]

RATE: Final = 10.0
REQUESTS: Final = 60
LISTS: Final = (
    "jobs/",
    "jobs/?status=failed",
    "jobs/?search=4711",
    "status-updates/",
    "result-files/",
    "services/",
    "reference-panels/",
    "users/",
    "users/?search=researcher-99",
    "profiles/",
    "user-access/",
    "audit-logs/",
    "roles/",
    "parent-jobs/",
)
_BAR_LATENCY: Final = 50.0
_BAR_CPU: Final = 15.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Milliseconds of the answers in the order of their requests, and of CPU for all of them."""

    answers: list[float]
    cpu: float
    rows: int

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.answers, n=20)[-1]


def run() -> list[Row]:
    """For each list the 95th percentile of its answers and the CPU of the process for one."""
    with own_platform(RATE_LIMITS="off", NODE_ENGINE="numpy") as platform:
        platform.up()
        site = Site(platform, service_port=0)
        for call in ("make", "settle"):
            subprocess.run(
                [
                    *(sys.executable, str(CHECKOUT / "manage.py"), "shell", "-v", "0", "-c"),
                    f"from benchmarks import lists_rows; lists_rows.{call}()",
                ],
                env={**platform.environment, "DEPLOYMENT": "monolith"},
                check=True,
            )
        return [row for path in LISTS for row in _rows(path, _measure(site, path))]


def _rows(path: str, measured: Measured) -> list[Row]:
    cpu = measured.cpu / len(measured.answers)
    return [
        Row(
            figure=f"{path}, 95th percentile",
            value=measured.p95,
            unit="ms",
            bar=f"≤ {_BAR_LATENCY:.0f} ms",
            holds=measured.p95 <= _BAR_LATENCY,
            note=f"{measured.rows:,} rows; median {statistics.median(measured.answers):.1f} ms",
        ),
        Row(
            figure=f"{path}, CPU of a request",
            value=cpu,
            unit="ms",
            bar=f"≤ {_BAR_CPU:.0f} ms",
            holds=cpu <= _BAR_CPU,
        ),
    ]


def _measure(site: Site, path: str) -> Measured:
    url = f"{site.url}/api/{path}"
    first = site.session.get(url, timeout=60)
    first.raise_for_status()
    told = first.json()
    rows = len(told) if isinstance(told, list) else int(told["count"])
    last = max(1, -(-rows // 20))
    joint = "&" if "?" in path else "?"
    pages = [url, f"{url}{joint}page={(last + 1) // 2}", f"{url}{joint}page={last}"]
    if isinstance(told, list):
        pages = [url]
    pid = site.pid("monolith")
    before, began = _cpu_ms(pid), time.perf_counter()

    def ask(number: int) -> float:
        due = began + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        answer = site.session.get(pages[number % len(pages)], timeout=60)
        answer.raise_for_status()
        return 1000 * (time.perf_counter() - due)

    with ThreadPoolExecutor(REQUESTS) as pool:
        answers = list(pool.map(ask, range(REQUESTS)))
    return Measured(answers=answers, cpu=_cpu_ms(pid) - before, rows=rows)


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / _TICKS
