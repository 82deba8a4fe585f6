"""The Celery application of the deployment named by ``$DEPLOYMENT``."""

from celery import Celery
from celery.signals import setup_logging

from federated_imputation import deployments

deployments.select_settings()
app = Celery("federated_imputation")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _leave_logging_to_django(**_: object) -> None:
    """Celery configures no logging of its own once this signal has a receiver."""
