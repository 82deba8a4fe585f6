"""An imputation node: reference panels behind the Michigan Imputation Server API.

Run it with exactly one server process (`uvicorn --workers 1`, the default): the runner of its jobs
lives in that process, and a second one on the same database refuses to start.
"""

from django.core.exceptions import ImproperlyConfigured

from federated_imputation.settings import env
from federated_imputation.settings.base import *

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    *INSTALLED_APPS,
    "apps.node",
]
ROOT_URLCONF = "federated_imputation.urls.node"
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "EXCEPTION_HANDLER": "apps.node.michigan.errors.answer_error",
}
# A node serves no OpenAPI description of its own: its contract is that of Michigan's server.
SPECTACULAR_SETTINGS: dict[str, object] = {"ENABLE_DJANGO_DEPLOY_CHECK": False}

ASGI_LIFESPAN = "apps.node.lifespan.lifespan"
ASGI_BODY_RULE = "apps.node.michigan.bodies.rule"
ASGI_NO_ROOM = "apps.node.michigan.bodies.no_room"

# Uploads arrive on the disk of the workspaces, so that moving one into its job is a rename.
FILE_UPLOAD_TEMP_DIR = f"{DATA_ROOT}/uploads" if ENVIRONMENT != "check" else None
FILE_UPLOAD_HANDLERS = ["apps.shared.uploads.TidyUploadHandler"]
DATA_UPLOAD_MAX_NUMBER_FILES = 200

NODE_TITLE = env.optional(env.own("TITLE"), default=f"Imputation node {DEPLOYMENT}")
NODE_WORKERS = env.integer("NODE_WORKERS", default=1)
NODE_THREADS = env.integer("NODE_THREADS", default=1)
# How long a starting server waits for the one before it to let go of the database.
NODE_LOCK_PATIENCE_SECONDS = env.integer("NODE_LOCK_PATIENCE_SECONDS", default=15)
NODE_ENGINE = env.optional("NODE_ENGINE", default="auto")
NODE_PHASING_MEMORY_MB = env.integer("NODE_PHASING_MEMORY_MB", default=4096)
NODE_JOBS_PER_USER = env.integer("NODE_JOBS_PER_USER", default=2)
NODE_MIN_SAMPLES = env.integer("NODE_MIN_SAMPLES", default=20)
NODE_MAX_SAMPLES = env.integer("NODE_MAX_SAMPLES", default=50_000)
NODE_UPLOAD_LIMIT_MB = env.integer("NODE_UPLOAD_LIMIT_MB", default=5000)
NODE_DOWNLOADS = env.integer("NODE_DOWNLOADS", default=10)
NODE_RETENTION_DAYS = env.integer("NODE_RETENTION_DAYS", default=7)
NODE_NOTICE_DAYS = env.integer("NODE_NOTICE_DAYS", default=5)
NODE_REDIRECT_DOWNLOADS = env.switch("NODE_REDIRECT_DOWNLOADS", default=False)
# A file whose one word (qc, imputation, export) holds every job at that step, for drills.
NODE_HOLD_FILE = env.optional("NODE_HOLD_FILE", default="")

if NODE_HOLD_FILE and not env.IS_DEVELOPMENT:
    raise ImproperlyConfigured("NODE_HOLD_FILE is for development only.")
if NODE_ENGINE not in {"auto", "numpy", "minimac4"}:
    raise ImproperlyConfigured(
        f"NODE_ENGINE is {NODE_ENGINE!r}; it must be auto, numpy or minimac4."
    )
if NODE_PHASING_MEMORY_MB < 256:
    raise ImproperlyConfigured("NODE_PHASING_MEMORY_MB must be 256 or more.")
if not 0 < NODE_NOTICE_DAYS <= NODE_RETENTION_DAYS:
    raise ImproperlyConfigured("NODE_NOTICE_DAYS must be from 1 to NODE_RETENTION_DAYS.")

env.refuse_if_incomplete()
