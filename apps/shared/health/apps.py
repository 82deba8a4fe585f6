from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "apps.shared.health"
    label = "health"
