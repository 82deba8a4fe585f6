"""The monolith: the legacy system, its admin, its Celery worker and beat."""

from federated_imputation.settings import env
from federated_imputation.settings.base import *

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *INSTALLED_APPS,
    "federated_imputation.monolith",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "federated_imputation.urls.monolith"
TEMPLATES[0]["OPTIONS"]["context_processors"] += [  # type: ignore[index]
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]

# Decrypts the stored credentials of external services; the first key encrypts, all decrypt.
FIELD_ENCRYPTION_KEYS = env.required("FIELD_ENCRYPTION_KEYS").split(",")
GUARDED_HTTP_ALLOW = env.words("GUARDED_HTTP_ALLOW")
BACKGROUND_CHECKS = env.switch("BACKGROUND_CHECKS", default=not env.IS_DEVELOPMENT)

CELERY_BROKER_URL = REDIS_URL

env.refuse_if_incomplete()
