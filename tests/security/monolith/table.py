"""Who may do what at the monolith: the whole table that the walk holds against the code."""

from typing import Final

from tests.security.monolith.accounts_table import ACCOUNT_ROWS
from tests.security.monolith.actors import SAMPLE
from tests.security.monolith.admin_table import ADMIN_ROWS
from tests.security.monolith.jobs_table import JOB_ROWS
from tests.security.monolith.monitoring_table import MONITORING_ROWS
from tests.security.monolith.rows import open_to_all
from tests.security.walk import absent

__all__ = ["ROWS"]

_ABOUT: Final = [
    *open_to_all("api/schema/"),
    *open_to_all("api/docs/"),
    *open_to_all("health/"),
    *open_to_all("health/ready/"),
    *open_to_all("healthz"),
    *open_to_all("readyz"),
    *open_to_all("metrics"),
]

_API: Final = (*ACCOUNT_ROWS, *JOB_ROWS, *MONITORING_ROWS)
ROWS: Final = (*absent(_API, sample=SAMPLE), *_API, *ADMIN_ROWS, *_ABOUT)
