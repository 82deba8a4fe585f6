"""What the legacy system answers, by resource: keys that its clients read."""

from typing import Any, Final

from tests.contract.matching import ABSENT, ANY, TIME, UUID, Each, Maybe, OneOf

__all__ = [
    "AUDIT_ENTRY",
    "CREATED_JOB",
    "CURRENT_USER",
    "FILE",
    "GROUP",
    "JOB",
    "JOB_DETAIL",
    "LOGIN",
    "PANEL",
    "PROFILE",
    "RIGHT",
    "ROLE",
    "SERVICE",
    "STATUSES",
    "UPDATE",
    "USER",
    "USER_ACCESS",
]

STATUSES: Final = OneOf(("pending", "queued", "running", "completed", "failed", "cancelled"))
_SECRETS: Final = {
    "password": ABSENT,
    "api_key": ABSENT,
    "api_secret": ABSENT,
    "user_token": ABSENT,
}

_NAME: Final = {"id": int, "username": str, "email": str, "first_name": str, "last_name": str}
LOGIN: Final[dict[str, Any]] = {"user": {**_NAME, **_SECRETS}, "message": str}
CURRENT_USER: Final[dict[str, Any]] = {
    "user": {
        **_NAME,
        **_SECRETS,
        "is_staff": bool,
        "is_superuser": bool,
        "date_joined": TIME,
        "last_login": Maybe(TIME),
        "profile": Maybe(
            {
                "role": Maybe(str),
                "organization": str,
                "department": str,
                "position": str,
                "research_area": str,
                "institution": str,
                "country": str,
            }
        ),
    },
    "authenticated": True,
    "session_id": Maybe(str),
}
SERVICE: Final = {
    **_SECRETS,
    "id": int,
    "name": str,
    "service_type": str,
    "api_type": str,
    "api_url": str,
    "description": str,
    "location": str,
    "continent": str,
    "is_active": bool,
    "api_key_required": bool,
    "max_file_size_mb": int,
    "supported_formats": Each(str),
    "reference_panels_count": int,
    "api_config": dict,
    "health_status": str,
    "created_at": TIME,
    "updated_at": TIME,
}
PANEL: Final = {
    "id": int,
    "name": str,
    "panel_id": str,
    "description": str,
    "population": str,
    "build": str,
    "samples_count": Maybe(int),
    "variants_count": Maybe(int),
    "is_active": bool,
    "service": int,
    "service_name": str,
    "service_type": str,
    "created_at": TIME,
    "updated_at": TIME,
}
UPDATE: Final = {
    "id": int,
    "job": UUID,
    "status": str,
    "progress_percentage": int,
    "message": str,
    "timestamp": TIME,
}
FILE: Final = {
    "id": int,
    "file_type": OneOf(("imputed_data", "quality_report", "log_file", "summary", "metadata")),
    "filename": str,
    "file_size": Maybe(int),
    "checksum": str,
    "is_available": bool,
    "expires_at": Maybe(TIME),
    "created_at": TIME,
}
JOB: Final[dict[str, Any]] = {
    **_SECRETS,
    "id": UUID,
    "name": str,
    "description": str,
    "user": _NAME,
    "service": {"id": int, "name": str},
    "reference_panel": {"id": int, "name": str},
    "input_format": str,
    "build": str,
    "phasing": bool,
    "population": str,
    "status": STATUSES,
    "progress_percentage": int,
    "external_job_id": str,
    "created_at": TIME,
    "updated_at": TIME,
    "started_at": Maybe(TIME),
    "completed_at": Maybe(TIME),
    "duration_display": Maybe(str),
}
JOB_DETAIL: Final[dict[str, Any]] = {
    **JOB,
    "input_file": Maybe(str),
    "input_file_size": Maybe(int),
    "input_file_size_display": Maybe(str),
    "result_files": ANY,
    "execution_time_seconds": Maybe(int),
    "error_message": str,
    "service_response": ANY,
    "status_updates": Each(UPDATE),
    "files": Each(FILE),
}
CREATED_JOB: Final = {
    **_SECRETS,
    "id": UUID,
    "name": str,
    "description": str,
    "service": int,
    "reference_panel": int,
    "input_format": str,
    "build": str,
    "phasing": bool,
    "population": str,
}
ROLE: Final = {
    "id": int,
    "name": OneOf(("admin", "service_admin", "researcher", "service_user", "viewer")),
    "description": str,
    "permissions_list": Each(str),
    "is_active": bool,
}
PROFILE: Final = {
    **_SECRETS,
    "id": int,
    "user": ANY,
    "role": ANY,
    "organization": str,
    "department": str,
    "position": str,
    "phone": str,
    "research_area": str,
    "institution": str,
    "country": str,
    "preferred_language": str,
    "timezone": str,
    "email_notifications": bool,
    "is_verified": bool,
    "verification_date": Maybe(TIME),
    "monthly_job_limit": int,
    "monthly_jobs_used": int,
    "storage_limit_gb": str,
    "storage_used_gb": str,
}
USER: Final = {
    **_NAME,
    **_SECRETS,
    "is_active": bool,
    "is_staff": bool,
    "date_joined": TIME,
    "last_login": Maybe(TIME),
    "profile": Maybe(PROFILE),
}
AUDIT_ENTRY: Final = {
    "id": int,
    "action": str,
    "resource_type": str,
    "resource_id": str,
    "details": ANY,
    "ip_address": Maybe(str),
    "user_agent": str,
    "timestamp": TIME,
}
RIGHT: Final = {
    "id": int,
    "permission": OneOf(("view", "submit_jobs", "view_jobs", "manage_jobs", "admin")),
    "granted_at": TIME,
    "expires_at": Maybe(TIME),
    "is_active": bool,
}
GROUP: Final = {"id": int, "name": str, "description": str, "is_active": bool}
USER_ACCESS: Final = {
    **_SECRETS,
    "id": int,
    "has_access": bool,
    "quota_limit": Maybe(int),
    "quota_used": int,
    "last_used": Maybe(TIME),
}
