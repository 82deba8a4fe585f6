"""Every app in one process, for mypy; never deployed."""

import os

os.environ["ENVIRONMENT"] = "check"

from federated_imputation.settings.node import *  # isort: skip
from federated_imputation.settings.monolith import *  # isort: skip

INSTALLED_APPS = [*INSTALLED_APPS, "apps.node"]
