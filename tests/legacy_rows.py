"""Rows as a legacy database may hold them: at least 100 a table, the odd ones included.

Everything is text that PostgreSQL reads itself, since many of these values (infinite times, years
before Christ, numbers beyond 64 bits in JSON) have no Python value. The same rows come out each
time.
"""

import hashlib
import uuid
from collections.abc import Iterator, Sequence
from itertools import count, islice, product
from typing import Any, Final

__all__ = ["EACH", "MIGRATIONS", "legacy_rows"]

EACH: Final = 120
Row = dict[str, Any]

MIGRATIONS: Final = (
    ("contenttypes", "0001_initial"),
    ("contenttypes", "0002_remove_content_type_name"),
    ("auth", "0001_initial"),
    ("auth", "0002_alter_permission_name_max_length"),
    ("auth", "0003_alter_user_email_max_length"),
    ("auth", "0004_alter_user_username_opts"),
    ("auth", "0005_alter_user_last_login_null"),
    ("auth", "0006_require_contenttypes_0002"),
    ("auth", "0007_alter_validators_add_error_messages"),
    ("auth", "0008_alter_user_username_max_length"),
    ("auth", "0009_alter_user_last_name_max_length"),
    ("auth", "0010_alter_group_name_max_length"),
    ("auth", "0011_update_proxy_permissions"),
    ("auth", "0012_alter_user_first_name_max_length"),
    ("admin", "0001_initial"),
    ("admin", "0002_logentry_remove_auto_add"),
    ("admin", "0003_logentry_add_action_flag_choices"),
    ("sessions", "0001_initial"),
    ("imputation", "0001_initial"),
    ("imputation", "0002_add_api_type_config"),
    ("imputation", "0003_add_dnastack_api_type"),
    ("imputation", "0004_imputationjob_user_token"),
    ("imputation", "0005_add_location_to_service"),
    ("imputation", "0006_add_continent_field"),
    ("imputation", "0007_servicepermission_serviceusergroup_userrole_and_more"),
)

# The 19 models of the legacy system with their content types, in the order of their ids.
_MODELS: Final = (
    *(("admin", "logentry"), ("auth", "permission"), ("auth", "group"), ("auth", "user")),
    *(("contenttypes", "contenttype"), ("sessions", "session")),
    *(
        ("imputation", model)
        for model in (
            *("imputationservice", "referencepanel", "imputationjob", "jobstatusupdate"),
            *("resultfile", "serviceconfiguration", "userserviceaccess", "servicepermission"),
            *("serviceusergroup", "userrole", "userprofile", "serviceusergroupmembership"),
            "auditlog",
        )
    ),
)

_TEXTS: Final = (
    *("", " ", "plain", "Ünïcödé", "日本語", "🧬🔬👩🏾‍🔬", "tab\tline\nreturn\r\n", "'\"\\ quotes"),
    *("%s %(x)s {}", "\\N", "NULL", "\u202eright to left", "e\u0301 e\u0301", "\x01control\x7f"),
    *("zero\u200bwidth", "<b>html</b>", "; DROP TABLE auth_user; --", "\ufeffmark", "long " * 200),
)
_TIMES: Final = (
    *("2025-10-07 21:19:00.123456+00", "infinity", "-infinity", "1970-01-01 00:00:00+00"),
    *("9999-12-31 23:59:59.999999+00", "0044-03-15 12:00:00+00 BC", "2025-03-30 02:30:00+02"),
    *("294276-12-31 23:59:59.999999+00", "2024-02-29 12:00:00-11:30"),
)
_JSON: Final = (
    *("{}", "[]", "null", '"a plain string"', "true", "1e400", "12345678901234567890.123456789"),
    *('{"a": {"b": [1, 2.50, null, {"": ""}]}}', '{"é": "🧬", "e\\u0301": "\\ud83e\\uddec"}'),
    *('{"twice": 1, "twice": 2}', '{"long": "' + "x" * 5000 + '"}'),
)
# What a job's `result_files` may hold: what services answered, and what people made of it.
_LISTS: Final = (
    '[{"name": "chr_20.zip", "path": "1/output/chr_20.zip", "size": "55 MB", "hash": "'
    + "c" * 64
    + '"}]',
    '["results/a b.zip", "https://example.org/c.zip", "", 7, null, [], {"deep": {"name": "x"}}]',
    '{"files": [{"filename": "é 🧬.zip", "file_size": 2147483648, "checksum": "'
    + "A" * 32
    + '"}]}',
    '[{"id": 1, "filename": "", "download_url": "https://example.org/d.zip", "size": 1e400}]',
    '[{"name": "' + "n" * 300 + '", "path": "' + "p" * 600 + '", "size": -1}]',
)
_INTS: Final = (0, 1, -1, 2**31 - 1, -(2**31), 42)
_SIZES: Final = (None, 0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**40, 2**63 - 1, -1)
_ADDRESSES: Final = (
    *(None, "127.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "10.0.0.0/8", "fe80::1/64", "::"),
)
_EMAILS: Final = (
    *("", "twice@example.org", "twice@example.org", "TWICE@example.org", "ünï@exämple.org"),
    *("not an address", "a" * 242 + "@example.org", "o'hara+x@example.org"),
)
_HASHES: Final = (
    "pbkdf2_sha256$600000$2Y0LrTWGWyyJvzeFXJ1qdQ$J3Qb2PqVyyfhzJ2ZlpN8ZgGkzZ0SfFzvOHiNQxE0x2E=",
    *("", "!", "!" + "x" * 40, "plaintext", "pbkdf2_sha256$1$s$x", "md5$$0cc175b9c0f1b6a831c399e2"),
    *("$2b$12$" + "a" * 53, "bcrypt$$2b$12$" + "b" * 53, "sha1$salt$" + "c" * 40, "d" * 128),
    *("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", "$$$", "pbkdf2_sha256$600000$é$=="),
)
_STATUSES: Final = (
    *("pending", "queued", "running", "completed", "failed", "cancelled", "error", ""),
)
_DECIMALS: Final = ("99999999.99", "0.00", "-0.01", "1.00", "NaN", "12.30")


def legacy_rows() -> dict[str, list[Row]]:
    """The rows by table, in an order that suits nobody's foreign keys: those are deferred."""
    users, services, panels = _ids(EACH), _ids(EACH, first=3), _ids(EACH, first=6, step=5)
    roles, groups, permissions = _ids(EACH), _ids(EACH), _ids(EACH, first=9)
    jobs = [_job_id(i) for i in range(EACH)]
    types = list(range(1, EACH + 1))
    rights = list(range(1, EACH + 1))
    return {
        "django_migrations": [
            {"id": i + 1, "app": app, "name": name, "applied": "2025-08-04 09:00:00.5+00"}
            for i, (app, name) in enumerate(MIGRATIONS)
        ],
        "django_content_type": [
            {"id": number, "app_label": app, "model": model}
            for number, (app, model) in zip(types, _content_types(), strict=True)
        ],
        "auth_permission": list(_auth_permissions(rights)),
        "auth_group": [{"id": i, "name": _unique(_TEXTS, n, 150)} for n, i in enumerate(groups)],
        "auth_group_permissions": list(_pairs("group_id", groups, "permission_id", rights)),
        "auth_user": list(_users(users)),
        "auth_user_groups": list(_pairs("user_id", users, "group_id", groups)),
        "auth_user_user_permissions": list(_pairs("user_id", users, "permission_id", rights)),
        "django_admin_log": list(_admin_log(users, types)),
        "django_session": [
            {
                "session_key": hashlib.sha1(b"%d" % n, usedforsecurity=False).hexdigest(),
                "session_data": _TEXTS[n % len(_TEXTS)],
                "expire_date": _TIMES[n % len(_TIMES)],
            }
            for n in range(EACH)
        ],
        "imputation_imputationservice": list(_services(services)),
        "imputation_referencepanel": list(_panels(panels, services)),
        "imputation_serviceconfiguration": list(_configurations(services)),
        "imputation_userserviceaccess": list(_access(users, services)),
        "imputation_imputationjob": list(_jobs(jobs, users, services, panels)),
        "imputation_jobstatusupdate": list(_updates(jobs)),
        "imputation_resultfile": list(_files(jobs)),
        "imputation_userrole": list(_roles(roles)),
        "imputation_userrole_permissions": list(
            _pairs("userrole_id", roles, "permission_id", rights)
        ),
        "imputation_userprofile": list(_profiles(users, roles)),
        "imputation_servicepermission": list(_service_permissions(permissions, services, users)),
        "imputation_serviceusergroup": list(_service_groups(groups, services, users)),
        "imputation_serviceusergroup_permissions": list(
            _pairs("serviceusergroup_id", groups, "servicepermission_id", permissions)
        ),
        "imputation_serviceusergroupmembership": [
            {**pair, "joined_at": _at(n), "added_by_id": None if n % 3 else users[n % EACH]}
            for n, pair in enumerate(_pairs("group_id", groups, "user_id", users))
        ],
        "imputation_auditlog": list(_audit(users)),
    }


def _users(ids: Sequence[int]) -> Iterator[Row]:
    odd = ("ada", "Ada", "ADA", "ädä", "x" * 150, " blank ", "a@b+c.d_e-f", "🧬", "'", "1")
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "password": _HASHES[n % len(_HASHES)],
            "last_login": None if n % 4 == 0 else _at(n),
            "is_superuser": n % 50 == 1,
            "username": odd[n] if n < len(odd) else f"user{n}",
            "first_name": _text(n, 150),
            "last_name": _text(n + 1, 150),
            "email": _EMAILS[n % len(_EMAILS)],
            "is_staff": n % 9 == 1,
            "is_active": n % 7 != 0,
            "date_joined": _at(n + 1),
        }


def _content_types() -> Iterator[tuple[str, str]]:
    gone = (("imputation", name) for name in ("jobtemplate", "jobbatch", "scheduledjob"))
    return islice(
        (x for some in (_MODELS, gone, (("gone", f"model{n}") for n in count())) for x in some),
        EACH,
    )


def _auth_permissions(ids: Sequence[int]) -> Iterator[Row]:
    named = [
        (number, f"Can {action} {model}", f"{action}_{model}")
        for number, (_, model) in enumerate(_MODELS, start=1)
        for action in ("add", "change", "delete", "view")
    ]
    odd = ((100, _text(n, 255), f"odd_{n}" + "x" * 90) for n in count())
    for number, (kind, name, codename) in zip(ids, (*named, *islice(odd, EACH)), strict=False):
        yield {"id": number, "name": name, "content_type_id": kind, "codename": codename}


def _admin_log(users: Sequence[int], types: Sequence[int]) -> Iterator[Row]:
    for n in range(EACH):
        yield {
            "id": n + 1,
            "action_time": _at(n),
            "object_id": None if n % 5 == 0 else _text(n, 1000),
            "object_repr": _text(n, 200),
            "action_flag": n % 4,
            "change_message": _TEXTS[n % len(_TEXTS)],
            "content_type_id": None if n % 6 == 0 else types[n],
            "user_id": users[n],
        }


def _services(ids: Sequence[int]) -> Iterator[Row]:
    kinds = list(product(("h3africa", "michigan", "dnastack", "x" * 20), ("michigan", "ga4gh", "")))
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "name": _unique(_TEXTS, n, 100),
            "service_type": kinds[n % len(kinds)][0],
            "api_url": ("https://example.org", "not a url", "", "http://" + "x" * 193)[n % 4],
            "description": _text(n, 1000),
            "is_active": n % 5 != 0,
            "created_at": _at(n),
            "updated_at": _at(n + 1),
            "api_key_required": n % 2 == 0,
            "max_file_size_mb": _INTS[n % len(_INTS)],
            "supported_formats": _JSON[n % len(_JSON)],
            "api_config": _JSON[(n + 3) % len(_JSON)],
            "api_key": "" if n % 3 else f"service key {n} 🔑",
            "api_type": kinds[n % len(kinds)][1],
            "location": _text(n, 200),
            "continent": _text(n, 50),
        }


def _panels(ids: Sequence[int], services: Sequence[int]) -> Iterator[Row]:
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "name": _text(n, 200),
            "panel_id": f"{n // 2:03}".ljust(100, "p")
            if n % 4 < 2
            else f"nfl-imputation-v{n // 2}",
            "description": _text(n, 1000),
            "population": _text(n, 100),
            "build": ("hg38", "hg19", "", "x" * 20)[n % 4],
            "samples_count": (None, *_INTS)[n % 7],
            "variants_count": (None, *_INTS)[n % 5],
            "is_active": n % 3 != 0,
            "created_at": _at(n),
            "updated_at": _at(n),
            "service_id": services[n],
        }


def _configurations(services: Sequence[int]) -> Iterator[Row]:
    for n, service in enumerate(services):
        yield {
            "id": n + 1,
            "api_key": "" if n % 2 else f"configured {n} " + "k" * (n * 4),
            "api_secret": "" if n % 4 else f"secret {n}",
            "additional_headers": _JSON[n % len(_JSON)],
            "rate_limit_per_hour": _INTS[n % len(_INTS)],
            "timeout_seconds": _INTS[(n + 1) % len(_INTS)],
            "retry_attempts": _INTS[(n + 2) % len(_INTS)],
            "settings": _JSON[(n + 1) % len(_JSON)],
            "created_at": _at(n),
            "updated_at": _at(n),
            "service_id": service,
        }


def _access(users: Sequence[int], services: Sequence[int]) -> Iterator[Row]:
    for n, pair in enumerate(_pairs("user_id", users, "service_id", services)):
        yield {
            **pair,
            "has_access": n % 3 != 0,
            "api_key": "" if n % 2 else "u" * 500,
            "quota_limit": (None, *_INTS)[n % 7],
            "quota_used": _INTS[n % len(_INTS)],
            "last_used": None if n % 2 else _at(n),
            "created_at": _at(n),
            "updated_at": _at(n),
        }


def _jobs(
    ids: Sequence[str], users: Sequence[int], services: Sequence[int], panels: Sequence[int]
) -> Iterator[Row]:
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "name": _text(n, 200),
            "description": _text(n + 1, 1000),
            "input_format": ("vcf", "plink", "", "x" * 20)[n % 4],
            "build": ("hg38", "hg19", "")[n % 3],
            "phasing": n % 2 == 0,
            "population": _text(n, 100),
            "status": _STATUSES[n % len(_STATUSES)],
            "progress_percentage": (*_INTS, 100)[n % 7],
            "external_job_id": "" if n % 3 == 0 else f"job-20251005-144934-{n:03}",
            "input_file": (None, "", "uploads/input/é 🧬.vcf.gz", "u" * 100)[n % 4],
            "input_file_size": _SIZES[n % len(_SIZES)],
            "result_files": (*_JSON, *_LISTS)[n % (len(_JSON) + len(_LISTS))],
            "created_at": _at(n),
            "updated_at": _at(n + 2),
            "started_at": None if n % 2 else _at(n),
            "completed_at": None if n % 3 else _at(n),
            "execution_time_seconds": (None, *_INTS)[n % 7],
            "error_message": _text(n, 1000),
            "service_response": _JSON[(n + 5) % len(_JSON)],
            "reference_panel_id": panels[n],
            "service_id": services[n],
            "user_id": users[n],
            "user_token": "" if n % 4 else f"token {n} " + "t" * 480,
        }


def _updates(jobs: Sequence[str]) -> Iterator[Row]:
    for n in range(2 * EACH):
        yield {
            "id": 2**40 + n,
            "status": _STATUSES[n % len(_STATUSES)],
            "progress_percentage": _INTS[n % len(_INTS)],
            "message": _text(n, 1000),
            "timestamp": _at(n),
            "external_data": _JSON[n % len(_JSON)],
            "job_id": jobs[n % EACH],
        }


def _files(jobs: Sequence[str]) -> Iterator[Row]:
    kinds = ("imputed_data", "quality_report", "log_file", "summary", "metadata", "other", "")
    for n in range(2 * EACH):
        yield {
            "id": n + 1,
            "file_type": kinds[n % len(kinds)],
            "filename": _text(n, 255),
            "file_path": _text(n + 1, 500),
            "download_url": ("", "https://example.org/share/results/x/chr_20.zip", "x" * 200)[
                n % 3
            ],
            "file_size": _SIZES[n % len(_SIZES)],
            "checksum": ("", "a" * 32, "B" * 64, "not hex")[n % 4],
            "is_available": n % 2 == 0,
            "expires_at": None if n % 2 else _at(n),
            "created_at": _at(n),
            "job_id": jobs[n % EACH],
        }


def _roles(ids: Sequence[int]) -> Iterator[Row]:
    real = ("admin", "service_admin", "researcher", "service_user", "viewer")
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "name": real[n] if n < len(real) else _unique(_TEXTS, n, 50),
            "description": _text(n, 1000),
            "is_active": n % 4 != 3,
            "created_at": _at(n),
            "updated_at": _at(n),
        }


def _profiles(users: Sequence[int], roles: Sequence[int]) -> Iterator[Row]:
    # Some users have none: the legacy system made them only on demand.
    for n, user in enumerate(users[: EACH - 15]):
        yield {
            "id": n + 1,
            "organization": _text(n, 200),
            "department": _text(n + 1, 200),
            "position": _text(n + 2, 100),
            "phone": _text(n + 3, 20),
            "research_area": _text(n + 4, 200),
            "institution": _text(n + 5, 200),
            "country": _text(n + 6, 100),
            "preferred_language": ("en", "", "x" * 10)[n % 3],
            "timezone": ("UTC", "Africa/Bamako", "Mars/Olympus", "")[n % 4],
            "email_notifications": n % 2 == 0,
            "is_verified": n % 3 == 0,
            "verification_date": None if n % 3 else _at(n),
            "last_activity": None if n % 5 else _at(n),
            "monthly_job_limit": _INTS[n % len(_INTS)],
            "monthly_jobs_used": _INTS[(n + 1) % len(_INTS)],
            "storage_limit_gb": _DECIMALS[n % len(_DECIMALS)],
            "storage_used_gb": _DECIMALS[(n + 1) % len(_DECIMALS)],
            "created_at": _at(n),
            "updated_at": _at(n),
            "role_id": None if n % 6 == 0 else roles[n % EACH],
            "user_id": user,
        }


def _service_permissions(
    ids: Sequence[int], services: Sequence[int], users: Sequence[int]
) -> Iterator[Row]:
    kinds = ("view", "submit_jobs", "view_jobs", "manage_jobs", "admin", "")
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "permission": kinds[n % len(kinds)],
            "granted_at": _at(n),
            "expires_at": None if n % 2 else _at(n),
            "is_active": n % 3 != 0,
            "granted_by_id": None if n % 4 else users[n],
            "service_id": services[n // len(kinds)],
            "user_id": users[n // len(kinds)],
        }


def _service_groups(
    ids: Sequence[int], services: Sequence[int], users: Sequence[int]
) -> Iterator[Row]:
    for n, number in enumerate(ids):
        yield {
            "id": number,
            "name": _text(n // 2, 100),
            "description": _text(n, 1000),
            "is_active": n % 3 != 0,
            "created_at": _at(n),
            "updated_at": _at(n),
            "created_by_id": None if n % 4 else users[n],
            "service_id": services[n],
        }


def _audit(users: Sequence[int]) -> Iterator[Row]:
    actions = ("login", "logout", "create", "toggle_user_active", "clear_all_cache", "", "x" * 20)
    for n in range(2 * EACH):
        yield {
            "id": n + 1,
            "action": actions[n % len(actions)],
            "resource_type": _text(n, 50),
            "resource_id": _text(n, 100),
            "details": _JSON[n % len(_JSON)],
            "ip_address": _ADDRESSES[n % len(_ADDRESSES)],
            "user_agent": _text(n, 5000),
            "timestamp": _at(n),
            "user_id": None if n % 3 == 0 else users[n % EACH],
        }


def _pairs(left: str, lefts: Sequence[int], right: str, rights: Sequence[int]) -> Iterator[Row]:
    """Each left with two different rights."""
    for n, number in enumerate(lefts):
        for step in (0, 1):
            other = rights[(n + step) % len(rights)]
            yield {"id": 2 * n + step + 1, left: number, right: other}


def _ids(number: int, *, first: int = 1, step: int = 3) -> list[int]:
    """Ids with gaps, as deleted rows leave them."""
    return list(range(first, first + number * step, step))


def _job_id(n: int) -> str:
    ends = {0: 0, 1: 2**128 - 1}
    return str(uuid.UUID(int=ends.get(n, int(hashlib.md5(b"%d" % n).hexdigest(), 16))))  # noqa: S324


def _at(n: int) -> str:
    return _TIMES[n % len(_TIMES)]


def _text(n: int, longest: int) -> str:
    return _TEXTS[n % len(_TEXTS)][:longest]


def _unique(texts: Sequence[str], n: int, longest: int) -> str:
    """The n-th text, told apart by a number where it must be, as long as it may be now and then."""
    if n < len(texts):
        return texts[n][:longest]
    return f"{n} {texts[n % len(texts)]}"[:longest]
