"""Who may see how the platform is."""

from typing import Final

from tests.security.monolith.actors import ADMINS, CLERKS, EVERYBODY, PEOPLE, names
from tests.security.monolith.rows import endpoint, open_to_all
from tests.security.walk import HIDDEN, SHOWN, form

__all__ = ["MONITORING_ROWS"]

_SEES_MACHINE: Final = names(ADMINS, "staff", CLERKS)

MONITORING_ROWS: Final = (
    *endpoint(
        "api/monitoring/metrics/",
        marker="metric of the machine",
        GET={_SEES_MACHINE: SHOWN, PEOPLE: HIDDEN},
    ),
    *endpoint(
        "api/monitoring/dashboard/",
        marker="check of the machine",
        GET={_SEES_MACHINE: SHOWN, PEOPLE: HIDDEN},
    ),
    *open_to_all("api/monitoring/health/"),
    *open_to_all("api/test/"),
    *endpoint("api/test/", POST={EVERYBODY: 200}, body=form(text="hello")),
)
