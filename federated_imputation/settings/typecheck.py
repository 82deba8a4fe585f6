"""Every app in one process, for mypy; never deployed."""

import os

os.environ["ENVIRONMENT"] = "check"

from federated_imputation.settings.monolith import *

INSTALLED_APPS = [*INSTALLED_APPS, "apps.node"]
