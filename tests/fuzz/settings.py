"""The monolith's settings with one cheap round for each password: here nobody attacks the hash."""

from federated_imputation.settings.monolith import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
