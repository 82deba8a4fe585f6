"""The monolith: the legacy system, its admin, its Celery worker and beat."""

from datetime import timedelta

from apps.contracts.passwords import hasher_paths
from apps.shared.api.bounds import BIGINT
from federated_imputation.settings import env
from federated_imputation.settings.base import *

INSTALLED_APPS = [
    # Its templates stand in for some of unfold's, whose stand in for Django's.
    "apps.shared.admin.apps.LookConfig",
    "unfold.apps.BasicAppConfig",
    "apps.shared.admin.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    *INSTALLED_APPS,
    "federated_imputation.monolith",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "apps.shared.api.versions.ApiVersionMiddleware",
]
# Inside what is not counted, the static files, and outside of all that costs a query.
MIDDLEWARE.insert(
    MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware") + 1,
    "apps.shared.limits.middleware.RateLimitMiddleware",
)
# Just inside the middleware that knows the request id, so that no error escapes it.
MIDDLEWARE.insert(
    MIDDLEWARE.index("apps.shared.observability.middleware.RequestIdMiddleware") + 1,
    "apps.shared.api.errors.ErrorShapeMiddleware",
)
ROOT_URLCONF = "federated_imputation.urls.monolith"
TEMPLATES[0]["OPTIONS"]["context_processors"] += [  # type: ignore[index]
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]

# Whether a login writes the hash again in the newest form; off while another side reads it too.
PASSWORD_UPGRADE = env.switch("PASSWORD_UPGRADE", default=False)
PASSWORD_HASHERS = hasher_paths(upgrade=PASSWORD_UPGRADE)
# A refused password is answered after a whole number of these, whatever was wrong with it.
PASSWORD_REFUSAL_SECONDS = env.integer("PASSWORD_REFUSAL_MILLISECONDS", default=2000) / 1000
# The last is asked for permissions and for sessions of the legacy process, not for passwords.
AUTHENTICATION_BACKENDS = [
    "apps.shared.limits.backend.PasswordGuard",
    "federated_imputation.monolith.accounts.backend.PasswordBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# For new passwords only: whoever has a weaker one keeps it.
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
SESSION_ENGINE = "apps.shared.identity.session_store"
MEDIA_ROOT = DATA_ROOT
ASGI_LIFESPAN = "federated_imputation.monolith.files.arrivals.lifespan"
ASGI_BODY_RULE = "federated_imputation.monolith.files.arrivals.rule"
ASGI_NO_ROOM = "federated_imputation.monolith.files.arrivals.no_room"

# After five failures of an account from an address, it is locked for that address.
AXES_ENABLED = RATE_LIMITS
AXES_HANDLER = "apps.shared.limits.backend.FailureHandler"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "apps.shared.limits.backend.block_of_request"
AXES_USERNAME_CALLABLE = "apps.shared.limits.backend.typed_name"
AXES_DISABLE_ACCESS_LOG = True  # the audit log has it
AXES_ENABLE_ADMIN = False  # unlocking is a command
# `RateLimitMiddleware` answers for a lock, as for every other limit.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "axes.W002"]

_PAGE = {
    "default-src": ["'none'"],
    "base-uri": ["'none'"],
    "connect-src": ["'self'"],
    "font-src": ["'self'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "img-src": ["'self'", "data:"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
}
CONTENT_SECURITY_POLICY_OF = {
    "/admin/": _PAGE,
    # The one inline style of the page of drf-spectacular.
    "/api/docs/": {
        **_PAGE,
        "style-src": ["'self'", "'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"],
    },
}
UNFOLD = {
    "SITE_TITLE": "Federated imputation",
    "SITE_HEADER": "Federated imputation",
    "SITE_SYMBOL": "genetics",
    "SITE_URL": None,
    "SIDEBAR": {"navigation": "federated_imputation.monolith.navigation.groups"},
}
DATA_UPLOAD_MAX_NUMBER_FILES = 10
FILE_UPLOAD_HANDLERS = [
    "apps.shared.uploads.SmallUploadHandler",
    "apps.shared.uploads.DigestingUploadHandler",
]

REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # The session first: it has no challenge, so a request without credentials gets a 403.
        "apps.shared.identity.sessions.SameOriginSessionAuthentication",
        "federated_imputation.monolith.accounts.authentication.BearerAuthentication",
    ],
    "DEFAULT_PAGINATION_CLASS": "apps.shared.api.pagination.Page",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Federated Genomic Imputation Platform",
    "DESCRIPTION": "One upload, many imputation services.",
    "VERSION": VERSION,
    "SCHEMA_PATH_PREFIX": "/api/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "BatchStatus": "federated_imputation.monolith.jobs.plans.models.JobBatch.Status",
        "Healthy": ["healthy"],
        "HealthyOrNot": ["healthy", "unhealthy"],
        "HowWell": ["healthy", "degraded", "unhealthy", "unknown"],
        "JobStatus": "federated_imputation.monolith.jobs.models.ImputationJob.Status",
        "RightAtService": "federated_imputation.monolith.accounts.models.ServicePermission.Kind",
        "RoleName": "federated_imputation.monolith.accounts.models.UserRole.Name",
    },
    "PATH_CONVERTER_OVERRIDES": {"int": BIGINT},
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.shared.openapi.errors.allow_empty_parameters",
        "apps.shared.openapi.errors.add_errors",
        "federated_imputation.monolith.openapi.add_examples",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Decrypts the stored credentials of external services; the first key encrypts, all decrypt.
FIELD_ENCRYPTION_KEYS = env.encryption_keys("FIELD_ENCRYPTION_KEYS")
# Ties each token to the password and the state of its user; the same wherever tokens are checked.
TOKEN_DIGEST_KEY = env.key("TOKEN_DIGEST_KEY")
GUARDED_HTTP_ALLOW = env.words("GUARDED_HTTP_ALLOW")
BACKGROUND_CHECKS = env.switch("BACKGROUND_CHECKS", default=not env.IS_DEVELOPMENT)

# Shares its Redis with the broker and the limits, so nothing may ever clear all of it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"cache:{DEPLOYMENT}",
        "OPTIONS": {
            "serializer": "apps.shared.caching.JsonSerializer",
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    }
}

# The tick runs each second: Celery's two lines about every task would bury all others.
LOGGING["loggers"] = {
    name: {"level": "WARNING"}
    for name in ("axes", "celery.app.trace", "celery.beat", "celery.worker.strategy")
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_IMPORTS = [
    "federated_imputation.monolith.accounts.tasks",
    "federated_imputation.monolith.files.tasks",
    "federated_imputation.monolith.jobs.tasks",
    "federated_imputation.monolith.registry.tasks",
    "federated_imputation.monolith.registry.health.tasks",
    "federated_imputation.monolith.sagas.tasks",
]
CELERY_TASK_IGNORE_RESULT = True
# Threads of a worker, made when they are needed: a slow call holds one.
CELERY_WORKER_CONCURRENCY = 32
# Beat's messages die unread when no worker runs; the rows keep what is due.
CELERY_BEAT_SCHEDULE = {
    "accounts.sweep": {"task": "accounts.sweep", "schedule": 3600.0, "options": {"expires": 600}},
    "deletions.tick": {"task": "deletions.tick", "schedule": 1.0, "options": {"expires": 5}},
    "files.refresh_sites": {
        "task": "files.refresh_sites",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "files.sweep": {"task": "files.sweep", "schedule": 3600.0, "options": {"expires": 600}},
    "files.tick": {"task": "files.tick", "schedule": 1.0, "options": {"expires": 5}},
    "registry.tick": {"task": "registry.tick", "schedule": 5.0, "options": {"expires": 5}},
    "jobs.sweep": {"task": "jobs.sweep", "schedule": 3600.0, "options": {"expires": 600}},
    "registry.check_health": {
        "task": "registry.check_health",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "registry.sweep": {"task": "registry.sweep", "schedule": 3600.0, "options": {"expires": 600}},
}
# Genotype files that one user keeps: all together, and so each.
GENOTYPE_STORAGE_MB = env.integer("GENOTYPE_STORAGE_MB", default=20_000)
# Checks and repairs of files: child processes at a time, and what each may use.
FILE_RUNS_AT_ONCE = env.integer("FILE_RUNS_AT_ONCE", default=2)
FILE_RUN_MEMORY_MB = env.integer("FILE_RUN_MEMORY_MB", default=2_000)
FILE_RUN_SECONDS = env.integer("FILE_RUN_SECONDS", default=4 * 3600)
# How often the panels of each service are synchronised unasked; 0 is never.
PANEL_SYNC_HOURS = env.integer("PANEL_SYNC_HOURS", default=24)
# A due job whose announcement no worker took in this time is announced again.
JOB_DISPATCH_SECONDS = 30

env.refuse_if_incomplete()
