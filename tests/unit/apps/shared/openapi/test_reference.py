"""A description becomes a page: nothing that a program needs to know is left out."""

from typing import Any

import pytest

from apps.shared.openapi.reference import operation_lines, shape_lines, summary_lines

DESCRIPTION: dict[str, Any] = {
    "paths": {
        "/api/jobs/": {
            "get": {
                "summary": "The caller's jobs",
                "description": "Jobs, and the way to submit one.",
                "parameters": [
                    {"in": "query", "name": "page", "schema": {"type": "integer"}},
                    {
                        "in": "query",
                        "name": "status",
                        "schema": {"$ref": "#/components/schemas/Status"},
                        "description": "Only these.",
                    },
                ],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Job"},
                                }
                            }
                        },
                    },
                    "401": {"$ref": "#/components/responses/Unauthorized"},
                },
            },
            "post": {
                "summary": "Submit a job",
                "description": "Jobs, and the way to submit one.",
                "requestBody": {
                    "content": {
                        media: {"schema": {"$ref": "#/components/schemas/JobRequest"}}
                        for media in ("multipart/form-data", "application/json")
                    }
                },
                "responses": {
                    "204": {"description": "No response body"},
                    "409": {"description": "Another one | is under way.", "content": {}},
                },
            },
        },
        "/api/jobs/{job_id}/download/": {
            "get": {
                "summary": "The bytes",
                "description": "The bytes. Each download is audited.",
                "parameters": [{"in": "path", "name": "job_id", "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "",
                        "content": {
                            "application/octet-stream": {
                                "schema": {"type": "string", "format": "binary"}
                            }
                        },
                    }
                },
            }
        },
    },
    "components": {
        "schemas": {
            "Error": {"properties": {"code": {"type": "string"}}},
            "Status": {"enum": ["pending", "completed"], "type": "string"},
            "Job": {
                "properties": {
                    "id": {"type": "integer", "format": "int64", "maximum": 2**63 - 1},
                    "status": {"allOf": [{"$ref": "#/components/schemas/Status"}]},
                    "ended": {"type": "string", "format": "date-time", "nullable": True},
                    "parent": {"allOf": [{"$ref": "#/components/schemas/Job"}], "nullable": True},
                    "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
                }
            },
            "JobRequest": {
                "properties": {
                    "name": {"type": "string", "maxLength": 200, "description": "For | you."},
                    "build": {"type": "string", "default": "hg38"},
                },
                "required": ["name"],
            },
        }
    },
}


def operations() -> list[str]:
    return list(operation_lines(DESCRIPTION, who=lambda method, path: f"{method} {path}"))


def test_each_operation_stands_in_the_table_with_a_link_to_its_part() -> None:
    assert list(summary_lines(DESCRIPTION))[2:] == [
        "| [`GET /api/jobs/`](#get-apijobs) | The caller's jobs |",
        "| [`POST /api/jobs/`](#post-apijobs) | Submit a job |",
        "| [`GET /api/jobs/{job_id}/download/`](#get-apijobsjob_iddownload) | The bytes |",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "### `POST /api/jobs/`",
        "Submit a job.",
        "The bytes. Each download is audited.",
        "- **Who**: POST /api/jobs/",
        "- **Query** `status`: `pending` `completed`. Only these.",
        "- **Body**: [JobRequest](#jobrequest) as `multipart/form-data`, `application/json`",
        "- **Answers**: **200** list of [Job](#job); 401",
        "- **Answers**: **204** No response body; **409** Another one \\| is under way",
        "- **Answers**: **200** `application/octet-stream`",
    ],
)
def test_an_operation_says_who_may_what_it_takes_and_what_it_answers(line: str) -> None:
    assert line in operations()


def test_what_is_said_of_several_methods_or_of_every_path_is_not_repeated() -> None:
    page = "\n".join(operations())
    assert "the way to submit" not in page
    assert "`page`" not in page
    assert "`job_id`:" not in page


@pytest.mark.parametrize(
    "line",
    [
        "### Job",
        "| `id` | integer |  |",
        "| `status` | `pending` `completed` |  |",
        "| `ended` | date-time, or null |  |",
        "| `parent` | [Job](#job), or null |  |",
        "| `counts` | object of integer |  |",
        "| `name` | string, at most 200 characters | yes | For \\| you. |",
        "| `build` | string |  | `hg38` when it is left out. |",
    ],
)
def test_a_shape_says_what_may_stand_in_each_field(line: str) -> None:
    assert line in list(shape_lines(DESCRIPTION))


def test_shapes_that_are_told_elsewhere_or_in_place_have_no_part() -> None:
    headings = [line for line in shape_lines(DESCRIPTION) if line.startswith("#")]
    assert headings == ["### Job", "### JobRequest"]
