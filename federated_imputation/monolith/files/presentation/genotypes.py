"""What is shown of a genotype file, of its runs, and of what its checks found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.genotypes.check.report import Finding
from federated_imputation.monolith.files.models import FileRun, GenotypeFile
from federated_imputation.monolith.files.presentation.reports import (
    FactsOutput,
    FindingOutput,
    PanelCheckOutput,
)

if TYPE_CHECKING:
    from federated_imputation.monolith.registry.models import ReferencePanel

__all__ = [
    "CheckOutput",
    "FileRunOutput",
    "GenotypeFileOutput",
    "findings_as_sentences",
    "shown_check",
]


class FileRunOutput(serializers.Serializer[FileRun]):
    class RunParameters(serializers.Serializer[Any]):
        panels = serializers.ListField(child=serializers.IntegerField(), required=False)
        build = serializers.CharField(required=False, allow_null=True)
        phasing = serializers.BooleanField(required=False, allow_null=True)
        repairs = serializers.ListField(child=serializers.CharField(), required=False)
        panel = serializers.IntegerField(required=False, allow_null=True)

    class RunResult(serializers.Serializer[Any]):
        class MadeFile(serializers.Serializer[Any]):
            file = serializers.UUIDField(help_text="Id of the new file.")
            name = serializers.CharField()
            chromosome = serializers.CharField(allow_null=True)

        class DoneRepair(serializers.Serializer[Any]):
            repair = serializers.CharField()
            count = serializers.IntegerField()
            text = serializers.CharField(required=False)

        made = MadeFile(many=True)
        done = DoneRepair(many=True)

    id = serializers.UUIDField()
    file = serializers.UUIDField(source="file_id")
    kind = serializers.ChoiceField(choices=FileRun.Kind.choices)
    parameters = RunParameters(help_text="As it was asked for.")
    state = serializers.ChoiceField(choices=FileRun.State.choices)
    stage = serializers.CharField(help_text="Of a check at work: 1, 2 or 3.")
    progress = serializers.IntegerField(help_text="Percent.")
    message = serializers.CharField(help_text="Why it failed.")
    result = serializers.SerializerMethodField(help_text="What a repair made; null before the end.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(RunResult(allow_null=True))
    def get_result(self, run: FileRun) -> Any:
        if run.kind != FileRun.Kind.REPAIR or run.report is None:
            return None
        return self.RunResult(run.report).data


class GenotypeFileOutput(serializers.Serializer[GenotypeFile]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    format = serializers.ChoiceField(choices=GenotypeFile.Format.choices)
    size = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Lower-case hex.")
    made_from = serializers.UUIDField(
        source="made_from_id", allow_null=True, help_text="The file that a repair made it from."
    )
    created_at = serializers.DateTimeField()
    download_url = serializers.SerializerMethodField()
    findings = FindingOutput(
        many=True, source="first_look.findings", help_text="What the upload already showed."
    )

    def get_download_url(self, file: GenotypeFile) -> str:
        return f"/api/files/{file.pk}/download/"


class CheckOutput(serializers.Serializer[Any]):
    file = serializers.UUIDField(help_text="Id of the file.")
    stage = serializers.IntegerField(help_text="How far the newest check came: 1, 2 or 3.")
    run = FileRunOutput(allow_null=True, help_text="The newest check; null before the first.")
    facts = FactsOutput()
    findings = FindingOutput(many=True)
    panels = PanelCheckOutput(many=True, help_text="The newest result by panel.")


def shown_check(
    file: GenotypeFile,
    *,
    latest: FileRun | None,
    done: Sequence[FileRun],
    panels: Mapping[int, "ReferencePanel"],
) -> dict[str, Any]:
    """What is known of a file: the newest report, and the newest beside each panel.

    Args:
        latest: The newest check, whatever became of it.
        done: The finished checks, newest first.
        panels: By id; what was said of others is left out, since they are gone.
    """
    reports: list[Any] = [run.report for run in done] or [file.first_look]
    shown: dict[int, dict[str, Any]] = {}
    for run in done:
        for entry in (run.report or {})["panels"]:
            panel = panels.get(int(entry["key"]))
            if panel is not None and panel.pk not in shown:
                shown[panel.pk] = {
                    **entry,
                    "panel": panel.pk,
                    "panel_name": panel.name,
                    "panel_key": panel.panel_id,
                    "checked_at": run.finished_at,
                }
    return {
        "file": file.pk,
        "stage": reports[0]["stage"],
        "run": latest,
        "facts": reports[0]["facts"],
        "findings": reports[0]["findings"],
        "panels": [shown[panel_id] for panel_id in sorted(shown)],
    }


def findings_as_sentences(findings: Iterable[Finding]) -> list[str]:
    """Each finding with its file, its line and what to do."""
    return [
        f"{finding.file}{'' if finding.line is None else f', line {finding.line}'}: "
        f"{finding.message} {finding.remedy}".strip()
        for finding in findings
    ]
