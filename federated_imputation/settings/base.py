"""What all deployments share. A deployment only ever adds to it."""

from federated_imputation.settings import env

BASE_DIR = env.BASE_DIR
DEPLOYMENT = env.DEPLOYMENT.name
ENVIRONMENT = env.ENVIRONMENT
VERSION = "0.1.0"

DEBUG = False
SECRET_KEY = env.key(env.own("SECRET_KEY"))
ALLOWED_HOSTS = env.host_names()

INSTALLED_APPS = [
    "django_prometheus",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.shared.health",
]
MIDDLEWARE = [
    "apps.shared.api.hops.TrustedHopsMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.shared.observability.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.shared.api.headers.BrowserPolicyMiddleware",
    "apps.shared.api.refusals.RefusalMiddleware",
    "apps.shared.api.lengths.BodyLengthMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ASGI_APPLICATION = "federated_imputation.asgi.application"
DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.required("REDIS_URL")

# Addresses and networks of the proxies whose word about a client's address counts.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
# Their word about the scheme; `TrustedHopsMiddleware` takes it away from anybody else.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
METRICS_ALLOW = env.networks("METRICS_ALLOW", default=("127.0.0.0/8", "::1"))
RATE_LIMITS = env.switch("RATE_LIMITS", default=True)

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
# In development served from the apps themselves: only the image runs collectstatic.
STATIC_ROOT = None if env.IS_DEVELOPMENT else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = env.IS_DEVELOPMENT
DATA_ROOT = env.optional(env.own("DATA_ROOT"), default=str(BASE_DIR / "data" / DEPLOYMENT))

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "apps.shared.openapi.inspection.Inspector",
    # Deny by default: every view says who may.
    "DEFAULT_PERMISSION_CLASSES": ["apps.shared.identity.permissions.DenyAll"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PARSER_CLASSES": [
        "apps.shared.api.parsers.JSONParser",
        "apps.shared.api.parsers.FormParser",
        "apps.shared.api.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0 if env.IS_DEVELOPMENT else 365 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not env.IS_DEVELOPMENT
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# What an answer that is no page of ours may load: nothing.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# What pages load, by the beginning of their path.
CONTENT_SECURITY_POLICY_OF: dict[str, dict[str, list[str]]] = {}
SILENCED_SYSTEM_CHECKS = [
    # The API refuses unsafe requests by their origin (`apps.shared.identity.sessions`), a node has
    # no cookies, and Django's admin guards its own views.
    "security.W003",
    # The proxy in front ends TLS and redirects to it; probes and the proxy itself speak plain HTTP.
    "security.W008",
    # Whether HSTS holds for the subdomains, and in browsers for ever, is for their owner to say.
    "security.W005",
    "security.W021",
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "apps.shared.observability.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.optional("LOG_LEVEL", default="INFO")},
}
