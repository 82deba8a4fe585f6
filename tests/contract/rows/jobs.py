"""Jobs, what happened to them, and the files that they brought."""

from typing import Any, Final

from tests.contract.matching import ANY, Each, Not, Text, page
from tests.contract.row import (
    CALLERS,
    Call,
    Row,
    Upload,
    call,
    edge,
    invalid,
    permissions,
    race,
    refusal,
    success,
    the,
)
from tests.contract.rows.shapes import CREATED_JOB, FILE, JOB, JOB_DETAIL, UPDATE
from tests.contract.study import STUDY

__all__ = ["ROWS"]

_SIGNED_IN: Final = [caller for caller in CALLERS if caller != "anonymous"]
_SEE_ALL: Final = ["researcher", "service_admin", "admin"]
_FORM: Final[dict[str, Any]] = {"**": the("job form"), "name": the("new name")}
_FILE: Final = {"input_file": Upload("study.vcf.gz", STUDY)}
_POST: Final = "POST jobs/"
_ONE: Final = "jobs/{id}/"
_MALFORMED: Final = (
    ("no UUID", "malformed id"),
    ("half a UUID", "half a UUID"),
    ("a number", "no id"),
)


_KEY: Final = {"Idempotency-Key": the("new key")}
_ONLY_ONE: Final = call(
    "GET jobs/",
    by="researcher",
    query={"search": the("new name")},
    status=200,
    answer={"count": 1},
)


def _submit(**more: Any) -> Call:
    return call(_POST, by="researcher", form={**_FORM, **_FILE}, status=201, keep="new job", **more)


_LIST: Final[list[Row]] = [
    success(
        "GET jobs/",
        "one's own, newest first",
        by="researcher",
        first=[_submit()],
        answer=page({**JOB, "user": {"id": the("user researcher")}}, least=1),
    ),
    success(
        "GET jobs/",
        "of one status",
        by="researcher",
        first=[_submit()],
        query={"status": "cancelled"},
        answer=page({**JOB, "status": "cancelled"}),
    ),
    success(
        "GET jobs/",
        "of one service",
        by="researcher",
        first=[_submit()],
        query={"service": the("service")},
        answer=page({**JOB, "service": {"id": the("service")}}, least=1),
    ),
    success(
        "GET jobs/",
        "whose name a search finds",
        by="researcher",
        first=[_submit()],
        query={"search": the("new name")},
        answer={**page({**JOB, "name": the("new name")}, least=1), "count": 1},
        example="jobs/jobs",
    ),
    success(
        "GET jobs/",
        "of everybody",
        by="admin",
        query={"search": the("name of job")},
        answer=page({**JOB, "user": {"id": the("user researcher")}}, least=1),
    ),
    refusal(
        "GET jobs/", "a status that is none", by="researcher", query={"status": "tired"}, status=400
    ),
    refusal(
        "GET jobs/",
        "a service that is no number",
        by="researcher",
        query={"service": "umich"},
        status=400,
    ),
    *(
        edge(
            "GET jobs/",
            f"page {title}",
            by="researcher",
            query={"page": value},
            status=404,
            answer={"detail": str},
        )
        for title, value in (
            ("0", 0),
            ("-1", -1),
            ("beyond the end", 9_999),
            ("a word", "two"),
            ("of 30 digits", "9" * 30),
        )
    ),
    edge(
        "GET jobs/",
        "an empty filter counts as none",
        by="researcher",
        query={"status": "", "service": "", "search": ""},
        answer=page(JOB),
    ),
    edge(
        "GET jobs/",
        "a filter that does not exist is ignored",
        by="researcher",
        query={"shoe_size": "44"},
        answer=page(JOB),
    ),
    edge(
        "GET jobs/",
        "a search for emoji and for letters that combine",
        by="researcher",
        query={"search": "\U0001f9ec e\u0301"},
        answer={"count": 0},
    ),
    edge("GET jobs/", "a NUL in a filter", by="researcher", query={"search": "a\0b"}, status=400),
    edge(f"GET {_ONE}", "a NUL in the path", by="researcher", at="id with a NUL", status=400),
    *permissions("GET jobs/", granted=_SIGNED_IN),
]

_SUBMISSION: Final[list[Row]] = [
    success(
        _POST,
        "an upload",
        by="researcher",
        form={**_FORM, **_FILE},
        status=201,
        answer={
            **CREATED_JOB,
            "name": the("new name"),
            "service": the("service"),
            "reference_panel": the("panel"),
            "phasing": False,
        },
        example="jobs/job-submitted",
    ),
    success(
        _POST,
        "with phasing",
        by="researcher",
        status=201,
        form={**_FORM, **_FILE, "phasing": "true"},
        answer={**CREATED_JOB, "phasing": True},
    ),
    success(
        _POST,
        "the build by its other name",
        by="researcher",
        status=201,
        form={**_FORM, **_FILE, "build": "GRCh38"},
        answer={**CREATED_JOB, "build": "hg38"},
    ),
    refusal(
        _POST,
        "no file",
        by="researcher",
        form=_FORM,
        multipart=True,
        status=400,
        answer={"input_file": ["This field is required."]},
        example="jobs/job-refused-without-file",
    ),
    *(
        invalid(_POST, title, field, by="researcher", form={**_FORM, **_FILE, **sent})
        for title, field, sent in (
            ("an empty name", "name", {"name": ""}),
            ("a name of 201 letters", "name", {"name": "x" * 201}),
            ("a service that does not exist", "service", {"service": "2000000000"}),
            ("a service that is no number", "service", {"service": "umich"}),
            ("a panel that does not exist", "reference_panel", {"reference_panel": "2000000000"}),
            (
                "a panel of another service",
                "reference_panel",
                {"reference_panel": the("panel of other service")},
            ),
            ("a build that does not exist", "build", {"build": "hg17"}),
            ("a file of another kind", "input_file", {"input_file": Upload("study.txt", STUDY)}),
            ("an empty file", "input_file", {"input_file": Upload("study.vcf.gz", b"")}),
            (
                "a file that is not what its name says",
                "input_file",
                {"input_file": Upload("study.vcf.gz", b"PK\x03\x04 no genotypes")},
            ),
        )
    ),
    invalid(_POST, "no name", "name", by="researcher", multipart=True, form={"build": "hg38"}),
    refusal(
        _POST,
        "another type of body",
        by="researcher",
        body=b"<job/>",
        headers={"Content-Type": "application/xml"},
        status=415,
    ),
    *permissions(
        _POST,
        status=201,
        form={**_FORM, **_FILE},
        granted=["service_user", "researcher", "service_admin", "admin", "other"],
    ),
    *(
        edge(
            _POST,
            title,
            by="researcher",
            form={**_FORM, **_FILE, "name": name},
            status=201,
            answer={"name": name},
        )
        for title, name in (
            ("a name of letters that combine", "Ge\u0301nomes de Bamako"),
            ("a name of emoji", "\U0001f9ec\U0001f468\u200d\U0001f52c"),
            (
                "a name from right to left",
                "\u062f\u0631\u0627\u0633\u0629 \u062c\u064a\u0646\u0648\u0645",
            ),
        )
    ),
    edge(
        _POST,
        "a NUL in the name",
        by="researcher",
        form={**_FORM, **_FILE, "name": "a\0b"},
        status=400,
        answer={"name": ANY},
    ),
    edge(
        _POST,
        "a file called by a path",
        by="researcher",
        status=(201, 400),
        form={**_FORM, "input_file": Upload("../../etc/study.vcf.gz", STUDY)},
        then=[
            call(
                "GET jobs/",
                by="researcher",
                query={"search": the("new name")},
                status=200,
                answer={"results": Each(ANY)},
            )
        ],
    ),
    success(
        _POST,
        "the same again under one key is the first answer",
        by="researcher",
        form={**_FORM, **_FILE},
        headers=_KEY,
        first=[_submit(headers=_KEY)],
        status=201,
        answer={**CREATED_JOB, "id": the("new job")},
        carries={"Idempotent-Replayed": "true"},
        then=[_ONLY_ONE],
    ),
    refusal(
        _POST,
        "another job under a key that was used",
        by="researcher",
        form={**_FORM, **_FILE, "description": "Another"},
        headers=_KEY,
        first=[_submit(headers=_KEY)],
        status=422,
        answer={"detail": str},
    ),
    edge(
        _POST,
        "the key of somebody else is no key of one's own",
        by="other",
        form={**_FORM, **_FILE},
        headers=_KEY,
        first=[_submit(headers=_KEY)],
        status=201,
        answer={"id": Not(the("new job"))},
    ),
    edge(
        _POST,
        "a key of 256 characters",
        by="researcher",
        form={**_FORM, **_FILE},
        headers={"Idempotency-Key": "k" * 256},
        status=400,
    ),
    race(
        _POST,
        "four at once under one key are one job",
        *(
            call(_POST, by="researcher", form={**_FORM, **_FILE}, headers=_KEY, status=201)
            for _ in range(4)
        ),
        answers=[{201: 4}, *({201: made, 409: 4 - made} for made in (1, 2, 3))],
        then=[_ONLY_ONE],
    ),
]

_BATCH: Final = {
    "name": the("new name"),
    "genotype_files": [the("new file")],
    "service": the("service"),
    "reference_panel": the("panel"),
    "user_token": "contract-no-token",
}
_USE: Final[dict[str, Any]] = {
    "by": "researcher",
    "at": "new template",
    "form": {"name": the("new name"), "user_token": "contract-no-token", **_FILE},
    "headers": _KEY,
    "status": 201,
}
_SEND: Final[dict[str, Any]] = {"by": "researcher", "json": _BATCH, "headers": _KEY, "status": 201}
_NEW_TEMPLATE: Final = call(
    "POST templates/",
    by="researcher",
    json={
        "name": the("new name"),
        "service": the("service"),
        "reference_panel": the("panel"),
    },
    status=201,
    keep="new template",
)
_NEW_FILE: Final = call(
    "POST files/",
    by="researcher",
    form={"file": Upload("study.vcf.gz", STUDY)},
    status=(200, 201),  # the same bytes are stored once
    keep="new file",
)

_PLANS: Final[list[Row]] = [
    edge(
        "POST templates/{id}/use/",
        "the same again under one key is the first answer",
        **_USE,
        first=[_NEW_TEMPLATE, call("POST templates/{id}/use/", **_USE, keep="new job")],
        answer={**CREATED_JOB, "id": the("new job")},
        carries={"Idempotent-Replayed": "true"},
        then=[_ONLY_ONE],
    ),
    edge(
        "POST templates/{id}/use/",
        "another job under a key that was used",
        **{**_USE, "form": {**_USE["form"], "description": "Another"}, "status": 422},
        first=[_NEW_TEMPLATE, call("POST templates/{id}/use/", **_USE)],
        answer={"detail": str},
    ),
    edge(
        "POST batches/",
        "the same again under one key is the first answer",
        **_SEND,
        first=[_NEW_FILE, call("POST batches/", **_SEND, keep="new batch")],
        answer={"id": the("new batch"), "total_jobs": 1},
        carries={"Idempotent-Replayed": "true"},
    ),
    edge(
        "POST batches/",
        "another batch under a key that was used",
        **{**_SEND, "json": {**_BATCH, "description": "Another"}, "status": 422},
        first=[_NEW_FILE, call("POST batches/", **_SEND)],
        answer={"detail": str},
    ),
]

_DETAIL: Final[list[Row]] = [
    success(
        f"GET {_ONE}",
        "one's own",
        at="job",
        by="researcher",
        answer={**JOB_DETAIL, "id": the("job"), "status_updates": Each(UPDATE, least=1)},
        example="jobs/job",
    ),
    *(
        refusal(f"GET {_ONE}", title, at=at, by="researcher", status=404, answer={"detail": str})
        for title, at in (("an unknown one", "no job"), *_MALFORMED)
    ),
    *permissions(f"GET {_ONE}", granted=_SEE_ALL, others=404, at="job"),
    *(
        row
        for verb in ("PUT", "PATCH")
        for row in (
            success(
                f"{verb} {_ONE}",
                "name and description",
                at="new job",
                by="researcher",
                json={"name": the("new name"), "description": "Chromosome 20"},
                answer={**JOB_DETAIL, "name": the("new name"), "description": "Chromosome 20"},
            ),
            invalid(
                f"{verb} {_ONE}",
                "a name of 201 letters",
                "name",
                at="job",
                by="researcher",
                json={"name": "x" * 201},
            ),
            refusal(
                f"{verb} {_ONE}",
                "an unknown one",
                at="no job",
                by="researcher",
                json={"name": "x"},
                status=404,
            ),
            *permissions(
                f"{verb} {_ONE}",
                at="job",
                json={"description": "Chromosome 20"},
                granted={"researcher": 200, "service_admin": 403, "admin": 403},
                others=404,
            ),
        )
    ),
    edge(
        f"PATCH {_ONE}",
        "what the platform tells is not its owner's to write",
        at="new job",
        by="researcher",
        json={
            "status": "completed",
            "service": the("other service"),
            "result_files": [{"url": "https://evil.example"}],
            "progress_percentage": 100,
        },
        answer={
            "service": {"id": the("service")},
            "result_files": Not({"url": str}),
            "status": Not("completed"),
        },
    ),
    race(
        f"PATCH {_ONE}",
        "two changes of two fields: none is lost",
        call(f"PATCH {_ONE}", at="new job", by="researcher", json={"name": "Renamed"}, status=200),
        call(
            f"PATCH {_ONE}", at="new job", by="researcher", json={"description": "Told"}, status=200
        ),
        answers=[{200: 2}],
        then=[
            call(
                f"GET {_ONE}",
                at="new job",
                by="researcher",
                status=200,
                answer={"name": "Renamed", "description": "Told"},
            )
        ],
    ),
    success(
        f"DELETE {_ONE}",
        "one's own that is over",
        at="new cancelled job",
        by="researcher",
        status=204,
        then=[call(f"GET {_ONE}", at="new cancelled job", by="researcher", status=404)],
    ),
    refusal(
        f"DELETE {_ONE}",
        "one that is not over",
        at="new job",
        by="researcher",
        status=400,
        answer={"error": str},
    ),
    refusal(f"DELETE {_ONE}", "an unknown one", at="no job", by="researcher", status=404),
    *permissions(
        f"DELETE {_ONE}",
        at="new cancelled job",
        others=404,
        granted={"researcher": 204, "service_admin": 403, "admin": 403},
    ),
    race(
        f"DELETE {_ONE}",
        "beside changes",
        call(f"DELETE {_ONE}", at="new cancelled job", by="researcher", status=204),
        *(
            call(
                f"PATCH {_ONE}",
                at="new cancelled job",
                by="researcher",
                json={"name": f"Renamed {number}"},
                status=200,
            )
            for number in range(2)
        ),
        answers=[{204: 1, 200: 2}, {204: 1, 200: 1, 404: 1}, {204: 1, 404: 2}],
    ),
    race(
        f"DELETE {_ONE}",
        "twice at once",
        *(
            call(f"DELETE {_ONE}", at="new cancelled job", by="researcher", status=204)
            for _ in range(2)
        ),
        answers=[{204: 1, 404: 1}],
    ),
]

_ACTIONS: Final[list[Row]] = [
    success(
        f"POST {_ONE}cancel/",
        "one that is not over",
        at="new job",
        by="researcher",
        status=202,
        answer={"message": str, "task_id": str},
        example="jobs/job-cancelled",
    ),
    refusal(
        f"POST {_ONE}cancel/",
        "one that is over",
        at="new cancelled job",
        by="researcher",
        status=400,
        answer={"error": str},
        example="jobs/job-cancel-refused",
    ),
    refusal(f"POST {_ONE}cancel/", "an unknown one", at="no job", by="researcher", status=404),
    *permissions(
        f"POST {_ONE}cancel/",
        at="new job",
        others=404,
        granted={"researcher": 202, "service_admin": 403, "admin": 403},
    ),
    race(
        f"POST {_ONE}cancel/",
        "twice at once",
        *(call(f"POST {_ONE}cancel/", at="new job", by="researcher", status=202) for _ in range(2)),
        answers=[{202: 2}, {202: 1, 400: 1}],
    ),
    success(
        f"POST {_ONE}retry/",
        "a cancelled one",
        at="new cancelled job",
        by="researcher",
        status=202,
        answer={"message": str, "task_id": str},
        example="jobs/job-retried",
    ),
    refusal(
        f"POST {_ONE}retry/",
        "one that is not over",
        at="new job",
        by="researcher",
        status=400,
        answer={"error": str},
    ),
    refusal(f"POST {_ONE}retry/", "an unknown one", at="no job", by="researcher", status=404),
    *permissions(
        f"POST {_ONE}retry/",
        at="new cancelled job",
        others=404,
        granted={"researcher": 202, "service_admin": 403, "admin": 403},
    ),
    race(
        f"POST {_ONE}retry/",
        "twice at once is one attempt",
        *(
            call(f"POST {_ONE}retry/", at="new cancelled job", by="researcher", status=202)
            for _ in range(2)
        ),
        answers=[{202: 1, 400: 1}],
    ),
    *(
        row
        for part, shape in (("status_updates", UPDATE), ("files", FILE))
        for row in (
            success(
                f"GET {_ONE}{part}/",
                "of one's own job",
                at="job",
                by="researcher",
                answer=Each(shape, least=1 if part == "status_updates" else 0),
                example=f"jobs/job-{part.replace('_', '-')}",
            ),
            refusal(
                f"GET {_ONE}{part}/", "of an unknown one", at="no job", by="researcher", status=404
            ),
            refusal(
                f"GET {_ONE}{part}/",
                "of one whose id is none",
                at="malformed id",
                by="researcher",
                status=404,
            ),
            *permissions(f"GET {_ONE}{part}/", granted=_SEE_ALL, others=404, at="job"),
        )
    ),
    success(
        "GET status-updates/",
        "of one's own jobs",
        by="researcher",
        first=[call(f"GET {_ONE}", at="job", by="researcher", status=200)],
        answer=page(UPDATE, least=1),
    ),
    refusal(
        "GET status-updates/",
        "a page beyond the end",
        by="researcher",
        query={"page": 9_999},
        status=404,
    ),
    *permissions("GET status-updates/", granted=_SIGNED_IN),
    success(
        "GET status-updates/{id}/",
        "one's own",
        at="status update",
        by="researcher",
        answer={**UPDATE, "id": the("status update")},
    ),
    refusal("GET status-updates/{id}/", "an unknown one", at="no id", by="researcher", status=404),
    *permissions(
        "GET status-updates/{id}/", granted=["researcher"], others=404, at="status update"
    ),
]

_BELOW_JOB: Final = {"id": "job of file", "file_id": "file"}
_DOWNLOAD: Final = f"GET {_ONE}files/{{file_id}}/download/"
_BYTES: Final = {
    "Accept-Ranges": "bytes",
    "Content-Disposition": Text("^attachment"),
    "ETag": str,
    "X-Content-Type-Options": "nosniff",
}
_WITH_OWNER: Final = [*CALLERS, "owner"]
_FILES: Final[list[Row]] = [
    success(
        "GET result-files/",
        "of one's own jobs",
        by="owner",
        answer=page(FILE, least=1),
        example="files/result-files",
    ),
    refusal(
        "GET result-files/", "a page beyond the end", by="owner", query={"page": 9_999}, status=404
    ),
    *permissions("GET result-files/", granted=[*_SIGNED_IN, "owner"], callers=_WITH_OWNER),
    success(
        "GET result-files/{id}/",
        "one's own",
        at="file",
        by="owner",
        answer={**FILE, "id": the("file")},
        example="files/result-file",
    ),
    refusal("GET result-files/{id}/", "an unknown one", at="no id", by="owner", status=404),
    *permissions(
        "GET result-files/{id}/", granted=["owner"], others=404, callers=_WITH_OWNER, at="file"
    ),
    *(
        row
        for endpoint, at, nowhere in (
            ("GET result-files/{id}/download/", "file", "no id"),
            (_DOWNLOAD, _BELOW_JOB, {"id": "job of file", "file_id": "no id"}),
        )
        for row in (
            success(endpoint, "the bytes", at=at, by="owner", carries=_BYTES),
            success(
                endpoint,
                "what the legacy system answered, to who asks for JSON",
                at=at,
                by="owner",
                headers={"Accept": "application/json"},
                answer={"download_url": str, "filename": str, "file_size": int},
                example="files/download" if "result-files" in endpoint else "",
            ),
            success(
                endpoint,
                "a part",
                at=at,
                by="owner",
                headers={"Range": "bytes=0-15"},
                status=206,
                carries={"Content-Range": Text(r"^bytes 0-15/\d+$"), "Content-Length": "16"},
            ),
            refusal(
                endpoint,
                "a part behind the end",
                at=at,
                by="owner",
                headers={"Range": "bytes=99999999999-"},
                status=416,
            ),
            refusal(endpoint, "an unknown one", at=nowhere, by="owner", status=404),
            *permissions(endpoint, granted=["owner"], others=404, callers=_WITH_OWNER, at=at),
        )
    ),
    refusal(
        _DOWNLOAD,
        "below another job",
        at={"id": "no job", "file_id": "file"},
        by="owner",
        status=404,
    ),
    refusal(
        _DOWNLOAD,
        "below what is no job",
        at={"id": "malformed id", "file_id": "file"},
        by="owner",
        status=404,
    ),
]

ROWS: Final[list[Row]] = [*_LIST, *_SUBMISSION, *_PLANS, *_DETAIL, *_ACTIONS, *_FILES]
