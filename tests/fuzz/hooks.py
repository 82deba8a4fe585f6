"""What schemathesis loads: who asks, by `FUZZ_ACTOR`, each request with a token of its own."""

import os

import django
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

django.setup()

from tests.bgzf import bgzf  # noqa: E402
from tests.fuzz.expectations import is_text_of_a_form, known_refusal  # noqa: E402
from tests.fuzz.world import fresh_token, person_without_profile  # noqa: E402 - Django must be ready

STUDY = bgzf(b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
NEW_PASSWORD = "tranquil otter paints 7 maps"
# What uvicorn says to bytes that are no HTTP, as with letters for a Content-Length.
NO_HTTP = b"Invalid HTTP request received."
ACTOR = os.environ["FUZZ_ACTOR"]

if ACTOR != "anonymous":

    @schemathesis.auth(refresh_interval=None)
    class Actor:
        """The actor's access token, valid whatever the request before did to the actor."""

        def get(self, case, context):
            return fresh_token(ACTOR)

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"


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
    refused = refused and response.status_code == 400
    return not (refused and known_refusal(case.operation.label, response.json()))
