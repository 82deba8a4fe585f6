"""What an ASGI server runs: the deployment named by ``$DEPLOYMENT``.

A deployment whose settings name `ASGI_LIFESPAN` (a dotted path to an asynchronous context manager)
has it entered before it serves and left after it has served; one that names `ASGI_BODY_RULE` has
request bodies held to that rule before Django sees them; and `ASGI_NO_ROOM` names the refusal of
one that the disk cannot take.
"""

from typing import cast

from django.core.asgi import get_asgi_application
from django.utils.module_loading import import_string

from apps.shared.asgi import (
    Application,
    with_body_rule,
    with_head_limits,
    with_lifespan,
)
from apps.shared.room import with_room
from federated_imputation import deployments


def _build() -> Application:
    deployments.select_settings()
    application = cast("Application", get_asgi_application())

    from django.conf import settings

    if hasattr(settings, "ASGI_NO_ROOM"):
        application = with_room(application, import_string(settings.ASGI_NO_ROOM))
    if hasattr(settings, "ASGI_BODY_RULE"):
        application = with_body_rule(application, import_string(settings.ASGI_BODY_RULE))
    application = with_head_limits(application)
    if hasattr(settings, "ASGI_LIFESPAN"):
        application = with_lifespan(application, import_string(settings.ASGI_LIFESPAN))
    return application


application = _build()
