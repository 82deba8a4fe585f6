"""What an ASGI server runs: the deployment named by ``$DEPLOYMENT``."""

from django.core.asgi import get_asgi_application

from federated_imputation import deployments

deployments.select_settings()
application = get_asgi_application()
