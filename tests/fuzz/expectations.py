"""What schemathesis cannot know: which refusals of well-formed requests are right.

The description says which requests are well formed. Whether a password is the right one, a name
is free or a service exists, only the server can say; then it answers 400 (404 or 409 need no word
here) with one of the sentences below. Any other refusal of well-formed data stays a finding.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from rest_framework.fields import BooleanField

__all__ = ["REFUSALS", "is_key_of_another_request", "is_text_of_a_form", "known_refusal"]

_PASSWORD: Final = (
    r"This password ",
    r"The password is too similar to the ",
    r"The passwords differ\.",
)
_TIME: Final = (r"This time is over already\.",)
_USER: Final = (
    r"A user with that username already exists\.",
    r"Enter a valid username\.",  # the form in which names are compared can have other characters
    r"Enter a valid email address\.",
)
_PROFILE: Final = (
    r"Invalid pk ",
    r"This user has a profile already\.",
    r"A profile stays with its user\.",
)
_RIGHT: Final = (r"There is no such user\.", r"The user has this permission already\.", *_TIME)
_ACCESS: Final = (
    r"Invalid pk ",
    r"A row of access stays with its ",
    r"The user has ",
    r"This user has a row of access to this service already\.",
)
_GROUP: Final = (
    r"The service has a group of this name already\.",
    r"All must be permissions of this service\.",
)
_PANEL: Final = (r"Invalid pk ", r"Panel \d+ is not active\.")
_ROLE: Final = (
    r"There are no permissions named",
    r"A role with this name exists already\.",
    r"The name of a role cannot be changed\.",
)
_SERVICE: Final = (
    r"A service with this name already exists\.",
    r"A service of type \w+ speaks ",
    r"A secret has no place here",
    r"This must be an object\.",
    r"Enter a valid URL\.",
    r"\S+ is not a public address",
    r"(The|An) address ",
    r"Only http and https addresses are called\.",
)
_JOB: Final = (
    r"This field is required\.",  # one of two must be there
    r"Send either an upload or the id of a stored file, not both\.",
    r"Unsupported file format; use one of: ",
    r"This service reads \.vcf\.gz files only",
    r"The submitted file is empty\.",
    r"The submitted data was not a file\.",  # JSON with a field that only the form describes
    r"The file ",
    r"Invalid pk ",
    r"This panel does not belong to the service\.",
    r"This (service|panel) is not active\.",
    r"This service needs your API token, and none is stored\.",
    r"The API of this service \(\w+\) is not supported",
    r'".*" is not a known build',
    r'".*" is none of: ',
)
_STUDY: Final = (
    r"A list of targets is needed; in a form, as JSON\.",
    r"Name \d+ to \d+ targets\.",
    r"An earlier target names this service and this panel\.",
    *_JOB,
)
_BATCH: Final = (
    r"[^:]+: ",  # a file's name, and why its service does not take it
    r"A file is named twice\.",
    r"Name a template, or a service and a panel; not both\.",
    r"This field is required unless `template` is given\.",
    *_JOB,
)
_NOT_A_SCHEDULE: Final = (
    r"This time has passed; give one that is to come\.",
    r"At most ten years ahead\.",
    r'".*" is not a known time zone',
    r"It ran \d+ times already",
    r"The template was deleted; name another one\.",
    *_JOB,
)
# By operation, beginnings of the sentences that it may answer to a well-formed request.
REFUSALS: Final[Mapping[str, tuple[str, ...]]] = {
    "POST /api/auth/change-password/": (r"This is not your current password\.", *_PASSWORD),
    "POST /api/files/": (
        r".*: .*\.",  # the file's name, and what is wrong with its content
        r"Several parts must be one PLINK set",
        r"The name is longer than 255 characters",
    ),
    "POST /api/files/{genotype_id}/check/": _PANEL,
    "POST /api/files/{genotype_id}/repairs/": (
        r"The sites of this panel are not known here\.",
        *_PANEL,
    ),
    "POST /api/jobs/": _JOB,
    "POST /api/jobs/multi_service/": _STUDY,
    "DELETE /api/parent-jobs/{parent_id}/": (r"A job of this study is ",),
    "POST /api/parent-jobs/{parent_id}/cancel/": (r"All jobs of this study are over",),
    "POST /api/parent-jobs/{parent_id}/retry/": (r"No job of this study ",),
    "DELETE /api/jobs/{job_id}/": (r"A job that is ",),
    "POST /api/jobs/{job_id}/cancel/": (r"A job that is ",),
    "POST /api/jobs/{job_id}/retry/": (r"A job that is ",),
    "POST /api/profiles/": _PROFILE,
    "PUT /api/profiles/{profile_id}/": _PROFILE,
    "PATCH /api/profiles/{profile_id}/": _PROFILE,
    "POST /api/roles/": _ROLE,
    "PUT /api/roles/{role_id}/": _ROLE,
    "PATCH /api/roles/{role_id}/": _ROLE,
    "POST /api/services/": _SERVICE,
    "PUT /api/services/{service_id}/": _SERVICE,
    "PATCH /api/services/{service_id}/": _SERVICE,
    "DELETE /api/services/{service_id}/": (r".* has \d+ jobs that are not over\.",),
    "POST /api/services/bulk_create/": _SERVICE,
    "PATCH /api/services/bulk_update/": (
        r"This field is required\.",  # in the description of a PATCH no field is
        r"There is no such service\.",
        *_SERVICE,
    ),
    "DELETE /api/services/bulk_delete/": (
        r"This field is required\.",  # OpenAPI 3.0 describes no body of a DELETE
        r"There is no such service\.",
    ),
    "POST /api/services/{service_id}/groups/": _GROUP,
    "PUT /api/services/{service_id}/groups/{group_id}/": _GROUP,
    "PATCH /api/services/{service_id}/groups/{group_id}/": _GROUP,
    "POST /api/services/{service_id}/groups/{group_id}/add_user/": _RIGHT,
    "POST /api/services/{service_id}/groups/{group_id}/remove_user/": _RIGHT,
    "POST /api/services/{service_id}/permissions/": _RIGHT,
    "PUT /api/services/{service_id}/permissions/{permission_id}/": _RIGHT,
    "PATCH /api/services/{service_id}/permissions/{permission_id}/": _RIGHT,
    "POST /api/batches/": _BATCH,
    "DELETE /api/batches/{batch_id}/": (r"A batch that is ",),
    "POST /api/batches/{batch_id}/cancel/": (r"No job of this batch ",),
    "POST /api/batches/{batch_id}/retry/": (r"No job of this batch ",),
    "POST /api/scheduled/": _NOT_A_SCHEDULE,
    "PUT /api/scheduled/{schedule_id}/": _NOT_A_SCHEDULE,
    "PATCH /api/scheduled/{schedule_id}/": _NOT_A_SCHEDULE,
    "POST /api/scheduled/{schedule_id}/pause/": (r"This schedule is ",),
    "POST /api/scheduled/{schedule_id}/resume/": (
        r"This schedule is ",
        r"It ran as often as it should",
        r"Its time is over",
    ),
    "POST /api/scheduled/{schedule_id}/run_now/": (
        r"It ran as often as it should",
        r"The (template|genotype file) was deleted\.",
        r"The template is no longer shared",
        *_JOB,
    ),
    "POST /api/templates/": _JOB,
    "PUT /api/templates/{template_id}/": _JOB,
    "PATCH /api/templates/{template_id}/": _JOB,
    "POST /api/templates/{template_id}/use/": _JOB,
    "POST /api/user-access/": _ACCESS,
    "PATCH /api/user-access/{access_id}/": _ACCESS,
    "POST /api/users/": (*_USER, *_PASSWORD, *_PROFILE),
    "PUT /api/users/{user_id}/": _USER,
    "PATCH /api/users/{user_id}/": _USER,
    "POST /api/users/{user_id}/reset_password/": _PASSWORD,
}
_SPELLINGS: Final = {
    str(word).lower() for word in BooleanField.TRUE_VALUES | BooleanField.FALSE_VALUES
}
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def is_key_of_another_request(answer: Mapping[str, Any]) -> bool:
    """Whether a 422 is about an `Idempotency-Key` that a generator came up with twice."""
    return str(answer["message"]).startswith("This Idempotency-Key was used for another request")


def known_refusal(operation: str, answer: Mapping[str, Any]) -> bool:
    """Whether each sentence of a 400 is one that this operation may answer to anybody.

    Args:
        operation: `POST /api/jobs/`.
        answer: Its body.
    """
    messages = [text for texts in answer["details"].values() for text in texts]
    known = REFUSALS.get(operation, ())
    return all(
        any(re.match(sentence, message, re.DOTALL) for sentence in known)
        for message in messages or [answer["message"]]
    )


def is_text_of_a_form(media_type: str | None, body: Any, types: Mapping[str, str]) -> bool:
    """Whether a generated body holds what a form cannot say.

    A form is fields, and each is text: `null` is four letters, an object is its braces, a list is
    its field once more for each item, and `1` or `on` is what shells and browsers send for a
    switch. So none of this proves anything about the operation.

    Args:
        types: By name of a field, what the description says that it is.
    """
    if media_type not in _FORMS:
        return False
    if not isinstance(body, Mapping):
        return body is None or isinstance(body, str | int | float | list)
    return any(_is_text(value, types.get(name, "")) for name, value in body.items())


def _is_text(value: Any, described: str) -> bool:
    match value:
        case bool():
            return False
        case None | Mapping():
            return True
        case list():
            return described != "array"
        case _:
            return described == "boolean" and str(value).lower() in _SPELLINGS
