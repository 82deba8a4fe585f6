"""The Celery application of the deployment named by ``$DEPLOYMENT``."""

from celery import Celery

from federated_imputation import deployments

deployments.select_settings()
app = Celery("federated_imputation")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
