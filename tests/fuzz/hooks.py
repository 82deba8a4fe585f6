"""What schemathesis loads: who asks, by `FUZZ_ACTOR`, each request with a token of its own."""

import os
import time

import django
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

django.setup()

from tests.bgzf import bgzf  # noqa: E402
from tests.fuzz.expectations import (  # noqa: E402
    is_key_of_another_request,
    is_text_of_a_form,
    known_refusal,
)
from tests.fuzz.world import fresh_token, person_without_profile  # noqa: E402 - Django must be ready

STUDY = bgzf(b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
NEW_PASSWORD = "tranquil otter paints 7 maps"
# What uvicorn says to bytes that are no HTTP, as with letters for a Content-Length.
NO_HTTP = b"Invalid HTTP request received."
ACTOR = os.environ["FUZZ_ACTOR"]

PLACE_OF_TOKEN = "Bearer of-the-actor"
TOKEN_SECONDS = 120.0

if ACTOR != "anonymous":

    class Token:
        """An access token of the actor, new once the last one or the actor may have changed.

        A refused request changes nothing; most are refused.
        """

        def __init__(self):
            self._value, self._until = "", 0.0

        def get(self):
            if time.monotonic() > self._until:
                self._value, self._until = fresh_token(ACTOR), time.monotonic() + TOKEN_SECONDS
            return self._value

        def forget(self):
            self._until = 0.0

    token = Token()

    @schemathesis.auth(refresh_interval=None)
    class Actor:
        """Says where the token goes. Many more requests are made up than sent."""

        def get(self, case, context):
            return PLACE_OF_TOKEN

        def set(self, case, data, context):
            case.headers["Authorization"] = data

    def filled(request):
        if request.headers.get("Authorization") == PLACE_OF_TOKEN:
            request.headers["Authorization"] = f"Bearer {token.get()}"
        return request

    @schemathesis.hook
    def before_call(context, case, kwargs):
        kwargs["auth"] = filled  # not into the case, which would be judged anew

    @schemathesis.hook
    def after_call(context, case, response):
        is_read = case.method.upper() in {"GET", "HEAD", "OPTIONS"}
        if response.status_code in {401, 403} or (not is_read and response.status_code < 400):
            token.forget()


@schemathesis.hook
def filter_case(context, case):
    body = case.operation.get_body_for_media_type(case.media_type) if case.media_type else None
    fields = body.form_properties if body is not None else {}
    types = {name: str(field.get("type", "")) for name, field in fields.items()}
    return not is_text_of_a_form(case.media_type, case.body, types)


@schemathesis.hook
def map_case(context, case):
    """What no generator comes across: a study in BGZF, one good password twice, who has no profile.

    Only of well-formed requests, and not of each: the others show what is refused.
    """
    if not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return case
    match case.operation.label:
        case "POST /api/jobs/":
            case.body["input_file"] = STUDY
        case "POST /api/users/":
            case.body["password_confirm"] = case.body["password"] = NEW_PASSWORD
        case "POST /api/profiles/" if len(case.body) % 2:
            case.body["user"] = person_without_profile()
    return case


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if response.status_code == 400 and response.content == NO_HTTP:
        return False
    refused = isinstance(failure, RejectedPositiveData)
    if refused and response.status_code == 416:  # no generator knows how long a file is
        return False
    match response.status_code:
        case 400 if refused:
            return not known_refusal(case.operation.label, response.json())
        case 422 if refused:
            return not is_key_of_another_request(response.json())
    return True
