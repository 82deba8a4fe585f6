"""Who may do what with jobs, their files, and the services."""

import json
from typing import Final

from tests.genotype_files import study
from tests.job_world import upload
from tests.security.monolith.actors import (
    ADMINS,
    CALLERS,
    CLERKS,
    ELSEWHERE,
    GROUP,
    OWNER,
    PEOPLE,
    RIGHTS,
    SCRIPT_OF_ADMIN,
    SERVICE_ADMINS,
    names,
    scripts,
)
from tests.security.monolith.rows import endpoint, open_to_callers
from tests.security.walk import HIDDEN, SHOWN, Scene, form, json_body, type_of_body

__all__ = ["JOB_ROWS"]


def _holders(*kinds: str) -> frozenset[str]:
    """Who holds a right of one of these kinds here, alone or by a group."""
    return names(*(held[kind] for held in (RIGHTS, GROUP) for kind in kinds))


_OWNER_READS: Final = names(OWNER, scripts("jobs:read"))
_OWNER_WRITES: Final = names(OWNER, scripts("jobs:write"))
_SEES_ALL_JOBS: Final = names(ADMINS, SERVICE_ADMINS, SCRIPT_OF_ADMIN)
_SEES_JOBS_HERE: Final = _holders("view_jobs", "manage_jobs", "admin")
_READERS: Final = names(_OWNER_READS, _SEES_ALL_JOBS, _SEES_JOBS_HERE)
# To whom the owner's job is there, though not theirs to change.
_ONLOOKERS: Final = names(_SEES_ALL_JOBS, _SEES_JOBS_HERE)

_MANAGE_JOBS_HERE: Final = _holders("manage_jobs", "admin")
_SUBMIT_EVERYWHERE: Final = names(
    *(OWNER, ADMINS, SERVICE_ADMINS, "researcher", "researcher by token", "service_user"),
    *("staff", "without a profile", scripts("jobs:write"), SCRIPT_OF_ADMIN),
)
_SUBMIT_HERE: Final = names(_SUBMIT_EVERYWHERE, _holders("submit_jobs", "admin"))
_SUBMIT_ELSEWHERE: Final = names(
    _SUBMIT_EVERYWHERE, "barred here", ELSEWHERE["submit_jobs"], ELSEWHERE["admin"]
)
_NOT_OF_THE_BARRED: Final = names(PEOPLE, scripts("jobs:write"))


def _new_job(service: str, panel: str) -> type_of_body:
    return form(
        name="Study",
        service=lambda scene: scene.values[service],
        reference_panel=lambda scene: scene.values[panel],
        build="hg19",
        population="afr",
        input_file=lambda scene: upload(),
    )


def _new_study() -> type_of_body:
    """One study for a panel here and one elsewhere."""

    def targets(scene: Scene) -> str:
        pairs = (("here", "panel"), ("elsewhere", "other panel"))
        return json.dumps(
            [
                {"service": scene.values[service], "reference_panel": scene.values[panel]}
                for service, panel in pairs
            ]
        )

    return form(
        name="Study",
        targets=targets,
        build="hg19",
        population="afr",
        input_file=lambda scene: upload(),
    )


_JOBS: Final = [
    *endpoint(
        "api/jobs/",
        marker="job",
        GET={_READERS: SHOWN, PEOPLE: HIDDEN},
    ),
    *endpoint("api/jobs/", POST={_SUBMIT_HERE: 201}, body=_new_job("here", "panel")),
    *endpoint(
        "api/jobs/",
        POST={_SUBMIT_ELSEWHERE: 201},
        body=_new_job("elsewhere", "other panel"),
        title="to another service",
    ),
    *endpoint("api/jobs/multi_service/", POST={_SUBMIT_EVERYWHERE: 201}, body=_new_study()),
    *endpoint(
        "api/jobs/<str:job_id>/",
        marker="job name",
        GET={_READERS: SHOWN, PEOPLE: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/",
        PUT={_OWNER_WRITES: 200, _ONLOOKERS: 403, PEOPLE: 404},
        PATCH={_OWNER_WRITES: 200, _ONLOOKERS: 403, PEOPLE: 404},
        DELETE={_OWNER_WRITES: 204, _ONLOOKERS: 403, PEOPLE: 404},
        body=form(name="renamed"),
    ),
    *endpoint(
        "api/jobs/<str:job_id>/cancel/",
        at={"job_id": "waiting job"},
        POST={names(_OWNER_WRITES, _MANAGE_JOBS_HERE): 202, _ONLOOKERS: 403, PEOPLE: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/retry/",
        at={"job_id": "failed job"},
        POST={names(_OWNER_WRITES, _MANAGE_JOBS_HERE): 202, _ONLOOKERS: 403, PEOPLE: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/cancel/",
        at={"job_id": "waiting job of the barred"},
        POST={
            names("barred here", _MANAGE_JOBS_HERE): 202,
            _ONLOOKERS: 403,
            _NOT_OF_THE_BARRED: 404,
        },
        title="of an owner who may not submit any more",
    ),
    *endpoint(
        "api/jobs/<str:job_id>/retry/",
        at={"job_id": "failed job of the barred"},
        POST={
            _MANAGE_JOBS_HERE: 202,
            names("barred here", _ONLOOKERS): 403,
            _NOT_OF_THE_BARRED: 404,
        },
        title="of an owner who may not submit any more",
    ),
    *endpoint(
        "api/jobs/<str:job_id>/reveal_password/",
        POST={_OWNER_WRITES: 200, _ONLOOKERS: 403, PEOPLE: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/status_updates/",
        marker="update text",
        GET={_READERS: SHOWN, PEOPLE: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/files/",
        marker="file name",
        GET={_READERS: SHOWN, PEOPLE: 404},
    ),
    *endpoint(
        "api/status-updates/",
        marker="update text",
        GET={_OWNER_READS: SHOWN, PEOPLE: HIDDEN, SCRIPT_OF_ADMIN: HIDDEN},
    ),
    *endpoint(
        "api/status-updates/<int:update_id>/",
        marker="update text",
        GET={_OWNER_READS: SHOWN, PEOPLE: 404, SCRIPT_OF_ADMIN: 404},
    ),
]

_PARENT_READERS: Final = names(_OWNER_READS, _SEES_ALL_JOBS)

_PARENTS: Final = [
    *endpoint(
        "api/parent-jobs/",
        marker="parent name",
        GET={_PARENT_READERS: SHOWN, PEOPLE: HIDDEN},
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/",
        marker="parent name",
        GET={_PARENT_READERS: SHOWN, PEOPLE: 404},
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/",
        PATCH={_OWNER_WRITES: 200, _SEES_ALL_JOBS: 403, PEOPLE: 404},
        DELETE={_OWNER_WRITES: 204, _SEES_ALL_JOBS: 403, PEOPLE: 404},
        body=form(name="renamed"),
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/cancel/",
        at={"parent_id": "waiting parent"},
        POST={_OWNER_WRITES: 202, _SEES_ALL_JOBS: 403, PEOPLE: 404},
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/retry/",
        at={"parent_id": "failed parent"},
        POST={_OWNER_WRITES: 202, _SEES_ALL_JOBS: 403, PEOPLE: 404},
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/retry/",
        at={"parent_id": "failed parent of the barred"},
        POST={names("barred here", _SEES_ALL_JOBS): 403, _NOT_OF_THE_BARRED: 404},
        title="of an owner who may not submit any more",
    ),
    *endpoint(
        "api/parent-jobs/<str:parent_id>/status_updates/",
        marker="update text",
        GET={_PARENT_READERS: SHOWN, PEOPLE: 404},
    ),
]

_OTHERS: Final = names(PEOPLE, SCRIPT_OF_ADMIN)


def _new_template(service: str, panel: str) -> type_of_body:
    return json_body(
        name="Settings",
        service=lambda scene: scene.values[service],
        reference_panel=lambda scene: scene.values[panel],
    )


def _use_of_template() -> type_of_body:
    return form(name="Study", build="hg19", input_file=lambda scene: upload())


_TEMPLATES: Final = [
    *endpoint(
        "api/templates/",
        marker="template name",
        GET={_OWNER_READS: SHOWN, _OTHERS: HIDDEN},
    ),
    *endpoint(
        "api/templates/",
        marker="shared template name",
        GET={names(PEOPLE, scripts("jobs:read"), SCRIPT_OF_ADMIN): SHOWN},
        title="that its owner shares",
    ),
    *endpoint("api/templates/", POST={_SUBMIT_HERE: 201}, body=_new_template("here", "panel")),
    *endpoint(
        "api/templates/",
        POST={_SUBMIT_ELSEWHERE: 201},
        body=_new_template("elsewhere", "other panel"),
        title="for another service",
    ),
    *endpoint(
        "api/templates/<str:template_id>/",
        marker="template name",
        GET={_OWNER_READS: SHOWN, _OTHERS: 404},
        PUT={_OWNER_WRITES: 200, _OTHERS: 404},
        PATCH={_OWNER_WRITES: 200, _OTHERS: 404},
        DELETE={_OWNER_WRITES: 204, _OTHERS: 404},
        body=_new_template("here", "panel"),
    ),
    *endpoint(
        "api/templates/<str:template_id>/",
        at={"template_id": "shared template"},
        marker="shared template name",
        GET={names(PEOPLE, scripts("jobs:read"), SCRIPT_OF_ADMIN): SHOWN},
        PUT={_OWNER_WRITES: 200},
        PATCH={_OWNER_WRITES: 200},
        DELETE={_OWNER_WRITES: 204},
        body=_new_template("here", "panel"),
        title="that its owner shares",
    ),
    *endpoint(
        "api/templates/<str:template_id>/use/",
        POST={_OWNER_WRITES: 201, _OTHERS: 404},
        body=_use_of_template(),
    ),
    *endpoint(
        "api/templates/<str:template_id>/use/",
        at={"template_id": "shared template"},
        POST={_SUBMIT_HERE: 201},
        body=_use_of_template(),
        title="that its owner shares",
    ),
]

_BATCHES: Final = [
    *endpoint("api/batches/", marker="batch name", GET={_OWNER_READS: SHOWN, _OTHERS: HIDDEN}),
    *endpoint(
        "api/batches/",
        POST={_OWNER_WRITES: 201, _SUBMIT_HERE: 400},
        body=json_body(
            name="Cohort",
            template=lambda scene: str(scene.values["shared template"]),
            genotype_files=lambda scene: [str(scene.values["genotype_id"])],
        ),
        title="of the owner's file",
    ),
    *endpoint(
        "api/batches/<str:batch_id>/",
        marker="batch name",
        GET={_OWNER_READS: SHOWN, _OTHERS: 404},
        DELETE={_OWNER_WRITES: 204, _OTHERS: 404},
    ),
    *endpoint(
        "api/batches/<str:batch_id>/jobs/",
        marker="failed job",
        GET={_OWNER_READS: SHOWN, _OTHERS: 404},
    ),
    *endpoint(
        "api/batches/<str:batch_id>/cancel/",
        at={"batch_id": "waiting batch"},
        POST={_OWNER_WRITES: 202, _OTHERS: 404},
    ),
    *endpoint("api/batches/<str:batch_id>/retry/", POST={_OWNER_WRITES: 202, _OTHERS: 404}),
    *endpoint(
        "api/batches/<str:batch_id>/retry/",
        at={"batch_id": "failed batch of the barred"},
        POST={names("barred here"): 403, names(_OTHERS, scripts("jobs:write")): 404},
        title="of an owner who may not submit any more",
    ),
]

_SCHEDULES: Final = [
    *endpoint("api/scheduled/", marker="schedule name", GET={_OWNER_READS: SHOWN, _OTHERS: HIDDEN}),
    *endpoint(
        "api/scheduled/",
        POST={_OWNER_WRITES: 201, _SUBMIT_HERE: 400},
        body=json_body(
            name="Weekly",
            template=lambda scene: str(scene.values["shared template"]),
            genotype_file=lambda scene: str(scene.values["genotype_id"]),
            schedule_type="weekly",
            scheduled_time=lambda scene: scene.values["tomorrow"],
        ),
        title="of the owner's file",
    ),
    *endpoint(
        "api/scheduled/<str:schedule_id>/",
        marker="schedule name",
        GET={_OWNER_READS: SHOWN, _OTHERS: 404},
        PATCH={_OWNER_WRITES: 200, _OTHERS: 404},
        DELETE={_OWNER_WRITES: 204, _OTHERS: 404},
        body=json_body(name="renamed"),
    ),
    *endpoint(
        "api/scheduled/<str:schedule_id>/",
        PUT={_OWNER_WRITES: 400, _OTHERS: 404},
        body=json_body(name="renamed"),
        title="with nothing but a name",
    ),
    *endpoint(
        "api/scheduled/<str:schedule_id>/executions/",
        marker="execution text",
        GET={_OWNER_READS: SHOWN, _OTHERS: 404},
    ),
    *endpoint("api/scheduled/<str:schedule_id>/pause/", POST={_OWNER_WRITES: 200, _OTHERS: 404}),
    *endpoint(
        "api/scheduled/<str:schedule_id>/resume/",
        at={"schedule_id": "paused schedule"},
        POST={_OWNER_WRITES: 200, _OTHERS: 404},
    ),
    *endpoint("api/scheduled/<str:schedule_id>/run_now/", POST={_OWNER_WRITES: 201, _OTHERS: 404}),
]

_FILE_READERS: Final = names(OWNER, scripts("files:read"))
_STRANGERS: Final = names(PEOPLE, SCRIPT_OF_ADMIN)

_FILES: Final = [
    *endpoint(
        "api/result-files/",
        marker="file name",
        GET={_FILE_READERS: SHOWN, _STRANGERS: HIDDEN},
    ),
    *endpoint(
        "api/result-files/<int:file_id>/",
        marker="file name",
        GET={_FILE_READERS: SHOWN, _STRANGERS: 404},
    ),
    *endpoint(
        "api/result-files/<int:file_id>/download/", GET={_FILE_READERS: 200, _STRANGERS: 404}
    ),
    *endpoint(
        "api/jobs/<str:job_id>/files/<int:file_id>/download/",
        GET={_FILE_READERS: 200, _STRANGERS: 404},
    ),
    *endpoint(
        "api/jobs/<str:job_id>/files/<int:file_id>/download/",
        at={"job_id": "failed job"},
        GET={_FILE_READERS: 404, _STRANGERS: 404},
        title="below another job",
    ),
]

_FILE_WRITERS: Final = names(OWNER, scripts("files:write"))
_KEEPS_FILES: Final = names(
    *(OWNER, ADMINS, SERVICE_ADMINS, "researcher", "researcher by token", "service_user"),
    *("staff", "without a profile", "barred here", scripts("files:write"), SCRIPT_OF_ADMIN),
    *(_holders("submit_jobs", "admin"), ELSEWHERE["submit_jobs"], ELSEWHERE["admin"]),
)
_REPAIR: Final = form(repairs="sort")

_GENOTYPES: Final = [
    *endpoint(
        "api/files/",
        marker="genotype name",
        GET={_FILE_READERS: SHOWN, _STRANGERS: HIDDEN},
    ),
    *endpoint("api/files/", POST={_KEEPS_FILES: 201}, body=form(file=lambda scene: study())),
    *endpoint(
        "api/files/<str:genotype_id>/",
        marker="genotype name",
        GET={_FILE_READERS: SHOWN, _STRANGERS: 404},
        DELETE={_FILE_WRITERS: 204, _STRANGERS: 404},
    ),
    *endpoint("api/files/<str:genotype_id>/download/", GET={_FILE_READERS: 200, _STRANGERS: 404}),
    *endpoint(
        "api/files/<str:genotype_id>/check/",
        GET={_FILE_READERS: 200, _STRANGERS: 404},
        POST={_FILE_WRITERS: 202, _STRANGERS: 404},
    ),
    *endpoint(
        "api/files/<str:genotype_id>/repairs/",
        POST={_FILE_WRITERS: 202, _STRANGERS: 404},
        body=_REPAIR,
    ),
    *endpoint(
        "api/files/<str:genotype_id>/check/",
        at={"genotype_id": "genotype of a viewer"},
        POST={names("viewer"): 403, names(PEOPLE, scripts("files:write"), SCRIPT_OF_ADMIN): 404},
        title="of an owner who may not submit any more",
    ),
    *endpoint(
        "api/files/<str:genotype_id>/runs/",
        marker="run",
        at={"genotype_id": "busy genotype"},
        GET={_FILE_READERS: SHOWN, _STRANGERS: 404},
    ),
    *endpoint(
        "api/files/<str:genotype_id>/runs/<str:run_id>/",
        marker="run",
        at={"genotype_id": "busy genotype"},
        GET={_FILE_READERS: SHOWN, _STRANGERS: 404},
    ),
    *endpoint(
        "api/files/<str:genotype_id>/runs/<str:run_id>/",
        GET={_FILE_READERS: 404, _STRANGERS: 404},
        title="below another file",
    ),
    *endpoint(
        "api/files/<str:genotype_id>/runs/<str:run_id>/cancel/",
        at={"genotype_id": "busy genotype"},
        POST={_FILE_WRITERS: 202, _STRANGERS: 404},
    ),
]

_SEE_CLOSED: Final = names(
    *(ADMINS, SCRIPT_OF_ADMIN, "staff", CLERKS),
    frozenset(RIGHTS.values()),
)

_CHANGE_HERE: Final = names(ADMINS, _holders("admin"))
_SERVICE: Final = {
    "service_type": "michigan",
    "api_type": "michigan",
    "api_url": "https://imputation.example.org",
}
_READS_REGISTRY: Final = names(PEOPLE, scripts("registry:read"), SCRIPT_OF_ADMIN)
_WRITES_REGISTRY: Final = names(PEOPLE, scripts("registry:write"), SCRIPT_OF_ADMIN)

_REGISTRY: Final = [
    *endpoint("api/services/", POST={ADMINS: 201}, body=json_body(name="New node", **_SERVICE)),
    *endpoint(
        "api/services/<int:service_id>/",
        PUT={_CHANGE_HERE: 200},
        PATCH={_CHANGE_HERE: 200},
        DELETE={ADMINS: 400},
        body=json_body(name="Renamed", **_SERVICE),
        title="with jobs under way",
    ),
    *endpoint(
        "api/services/<int:service_id>/",
        PATCH={ADMINS: 200},
        body=json_body(api_url="https://other.example.org"),
        title="where its jobs go",
    ),
    *endpoint(
        "api/services/<int:service_id>/",
        at={"service_id": "elsewhere"},
        PATCH={names(ADMINS, ELSEWHERE["admin"]): 200},
        DELETE={ADMINS: 200},
        body=json_body(description="Changed"),
        title="without jobs",
    ),
    *endpoint(
        "api/services/<int:service_id>/",
        at={"service_id": "elsewhere"},
        DELETE={ADMINS: 204},
        query="?force=true",
        title="for good",
    ),
    *endpoint(
        "api/services/bulk_create/",
        POST={ADMINS: 201},
        body=json_body(services=[{"name": "New node", **_SERVICE}]),
    ),
    *endpoint(
        "api/services/bulk_update/",
        PATCH={ADMINS: 200},
        body=json_body(
            updates=lambda scene: [{"id": scene.values["here"], "data": {"location": "Bamako"}}]
        ),
    ),
    *endpoint("api/services/bulk_delete/", DELETE={ADMINS: 400}),  # no ids
    *open_to_callers("api/services/"),
    *endpoint(
        "api/services/",
        marker="closed name",
        GET={_SEE_CLOSED: SHOWN, CALLERS: HIDDEN},
        query="?is_active=false",
        title="those that are switched off",
    ),
    *open_to_callers("api/services/<int:service_id>/"),
    *endpoint(
        "api/services/<int:service_id>/reference_panels/",
        GET={names(PEOPLE, scripts("registry:read"), SCRIPT_OF_ADMIN): 200},
    ),
    *endpoint(
        "api/services/<int:service_id>/sync_reference_panels/",
        POST={names(PEOPLE, scripts("registry:write"), SCRIPT_OF_ADMIN): 202},
    ),
    *endpoint(
        "api/services/<int:service_id>/sync_status/",
        GET={names(PEOPLE, scripts("registry:read"), SCRIPT_OF_ADMIN): 200},
    ),
    *endpoint("api/services/<int:service_id>/health/", GET={_READS_REGISTRY: 200}),
    *endpoint("api/services/<int:service_id>/cache_info/", GET={_READS_REGISTRY: 200}),
    *endpoint("api/services/<int:service_id>/clear_cache/", POST={_WRITES_REGISTRY: 200}),
    *endpoint("api/services/health_all/", GET={_READS_REGISTRY: 200}),
    *endpoint("api/services/cache_stats/", GET={_READS_REGISTRY: 200}),
    *endpoint("api/services/clear_all_cache/", POST={ADMINS: 200}),
    *open_to_callers("api/reference-panels/"),
    *open_to_callers("api/reference-panels/<int:panel_id>/"),
]

_DASHBOARD: Final = [
    *endpoint(
        "api/dashboard/stats/",
        marker="job name",
        GET={_OWNER_READS: SHOWN, _SEES_ALL_JOBS: SHOWN, CALLERS: HIDDEN},
    ),
    *open_to_callers("api/dashboard/services_overview/"),
    *open_to_callers("api/dashboard/health/"),
]

JOB_ROWS: Final = (
    *_JOBS,
    *_PARENTS,
    *_TEMPLATES,
    *_BATCHES,
    *_SCHEDULES,
    *_FILES,
    *_GENOTYPES,
    *_REGISTRY,
    *_DASHBOARD,
)
