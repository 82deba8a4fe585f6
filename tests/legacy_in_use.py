"""A legacy database in which people work: the odd rows, and those that the contract stands on.

Of the odd values those are left out that the legacy code could not have written, since Python has
no such value (infinite times, years before 1 and after 9999, numbers that are none) or since it
wrote none but its own: there are five roles, and what it dated itself is of the past.
"""

import hashlib
from typing import Any, Final

from tests.legacy_rows import legacy_rows

__all__ = [
    "ADMINISTRATOR",
    "OWNER",
    "PASSWORD",
    "PEOPLE",
    "RESULT",
    "RESULT_PATH",
    "ROLES",
    "SERVICE",
    "UNTOUCHED",
    "rows_in_use",
]

PASSWORD: Final = "correct horse battery staple"
ADMINISTRATOR: Final = "grace"
OWNER: Final = "mary"
SERVICE: Final = 100_000
RESULT: Final = bytes(range(256)) * 16
_JOB: Final = "5f0e8a52-6c0b-4a6e-9d55-0f6f1d1f7a10"
RESULT_PATH: Final = f"results/{_JOB}/1/chr_20.zip"
_FIRST: Final = 100_000
PEOPLE: Final = (_FIRST, _FIRST + 1)
# A row of each of these tables that no legacy writer of the tests changes.
UNTOUCHED: Final[dict[str, int | str]] = {
    "auth_user": _FIRST + 1,
    "imputation_userprofile": _FIRST + 1,
    "imputation_imputationservice": SERVICE + 1,
    "imputation_referencepanel": 2 * SERVICE + 2,
    "imputation_imputationjob": _JOB,
    "imputation_resultfile": _FIRST,
}
_NOW: Final = "2025-10-07 21:19:00.123456+00"
_WRITABLE: Final = {
    "infinity": "9999-12-31 23:59:59.999999+00",
    "-infinity": "0001-01-01 00:00:00+00",
    "0044-03-15 12:00:00+00 BC": "0044-03-15 12:00:00+00",
    "294276-12-31 23:59:59.999999+00": "2038-01-19 03:14:08+00",
    "NaN": "0.50",
}
ROLES: Final = ("admin", "service_admin", "researcher", "service_user", "viewer")

Row = dict[str, Any]


def rows_in_use() -> dict[str, list[Row]]:
    """`legacy_rows`, with the five roles in force, an administrator, somebody with a result, and
    two services with panels."""
    rows = {
        table: [{name: _writable(value) for name, value in row.items()} for row in found]
        for table, found in legacy_rows().items()
    }
    _leave_five_roles(rows)
    for row in rows["imputation_auditlog"]:
        row["timestamp"] = _NOW
    for row in rows["imputation_imputationjob"]:
        row["created_at"] = min(row["created_at"], _NOW)
    for number, (table, row) in enumerate(_people_at_work(rows)):
        rows[table].append(_complete(rows[table][number % 7], row))
    return rows


def _writable(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _WRITABLE.get(value, value).replace("1e400", "1e300")


def _leave_five_roles(rows: dict[str, list[Row]]) -> None:
    rows["imputation_userrole"] = [
        {**role, "is_active": True} for role in rows["imputation_userrole"] if role["name"] in ROLES
    ]
    held = {role["id"] for role in rows["imputation_userrole"]}
    for profile in rows["imputation_userprofile"]:
        if profile["role_id"] not in held:
            profile["role_id"] = None
    rows["imputation_userrole_permissions"] = [
        row for row in rows["imputation_userrole_permissions"] if row["userrole_id"] in held
    ]


def _people_at_work(rows: dict[str, list[Row]]) -> list[tuple[str, Row]]:
    role = {row["name"]: row["id"] for row in rows["imputation_userrole"]}
    made: list[tuple[str, Row]] = []
    for number, (name, held) in enumerate(
        [(ADMINISTRATOR, "admin"), (OWNER, "researcher")], _FIRST
    ):
        digest = hashlib.md5(f"salt{PASSWORD}".encode()).hexdigest()  # noqa: S324 - as it was
        made += [
            (
                "auth_user",
                {
                    "id": number,
                    "username": name,
                    "email": f"{name}@example.org",
                    "password": f"md5$salt${digest}",
                    "is_active": True,
                    "is_superuser": name == ADMINISTRATOR,
                    "is_staff": name == ADMINISTRATOR,
                },
            ),
            (
                "imputation_userprofile",
                {"id": number, "user_id": number, "role_id": role[held], "timezone": "UTC"},
            ),
        ]
    for number in (SERVICE, SERVICE + 1):
        made += [
            (
                "imputation_imputationservice",
                {
                    "id": number,
                    "name": f"Service {number}",
                    "service_type": "michigan",
                    "api_type": "michigan",
                    "api_url": "https://imputation.invalid",
                    "is_active": True,
                    "max_file_size_mb": 100,
                    "supported_formats": '["vcf", "vcf.gz"]',
                    "api_config": "{}",
                    "api_key": "",
                },
            ),
            *(
                (
                    "imputation_referencepanel",
                    {
                        "id": 2 * number + panel,
                        "service_id": number,
                        "panel_id": f"panel_{panel}",
                        "name": f"Panel {panel}",
                        "population": "African",
                        "build": "hg38",
                        "is_active": True,
                    },
                )
                for panel in (0, 1)
            ),
        ]
    return [
        *made,
        (
            "imputation_imputationjob",
            {
                "id": _JOB,
                "name": "Study of mary",
                "status": "completed",
                "progress_percentage": 100,
                "input_file": "",
                "result_files": "[]",
                "user_id": _FIRST + 1,
                "service_id": SERVICE,
                "reference_panel_id": 2 * SERVICE,
                "user_token": "",
            },
        ),
        (
            "imputation_resultfile",
            {
                "id": _FIRST,
                "job_id": _JOB,
                "file_type": "imputed_data",
                "filename": "chr_20.zip",
                "file_path": RESULT_PATH,
                "download_url": "",
                "file_size": len(RESULT),
                "checksum": hashlib.sha256(RESULT).hexdigest(),
                "is_available": True,
                "expires_at": None,
            },
        ),
    ]


def _complete(like: Row, row: Row) -> Row:
    """`row`, and of `like` what it does not say; its times are those of a working day."""
    times = {name: _NOW for name in like if name.endswith(("_at", "_joined"))}
    assert set(row) <= set(like)
    return {**like, **times, **row}
