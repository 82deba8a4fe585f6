"""An imputation node: one panel folder behind the Michigan Imputation Server API."""

from federated_imputation.settings import env
from federated_imputation.settings.base import *

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    *INSTALLED_APPS,
    "apps.node",
]
ROOT_URLCONF = "federated_imputation.urls.node"

env.refuse_if_incomplete()
