"""Checks and repairs of a genotype file: asked for, watched, cancelled."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.genotypes.builds import BUILDS
from apps.genotypes.repair.orders import Repair
from apps.shared.api.bodies import Body
from apps.shared.api.numbers import Id
from apps.shared.identity.caller import caller_id
from apps.shared.identity.permissions import in_scope
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.files import access, queries
from federated_imputation.monolith.files.api.genotypes import FILE_ID, NOT_THERE
from federated_imputation.monolith.files.models import FileRun, GenotypeFile
from federated_imputation.monolith.files.operations import runs as operations
from federated_imputation.monolith.files.presentation import (
    CheckOutput,
    FileRunOutput,
    shown_check,
)
from federated_imputation.monolith.registry import queries as registry

__all__ = ["CancelRunView", "CheckView", "FileRunListView", "FileRunView", "RepairsView"]

_RUN_ID = OpenApiParameter("run_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_AT_WORK = OpenApiResponse(description="Another one with other parameters is at work.")
_MOST_PANELS: Final = 20


@extend_schema(parameters=[FILE_ID])
class CheckView(APIView):
    """What the checks of a file found, and the way to ask for one."""

    permission_classes = [in_scope("files")]

    class CheckInput(Body):
        panels = serializers.ListField(
            child=Id(),
            required=False,
            default=list,
            max_length=_MOST_PANELS,
            help_text="Ids of the reference panels to hold the file against.",
        )
        build = serializers.ChoiceField(
            choices=BUILDS, required=False, help_text="Of the file; left out: the file tells."
        )
        phasing = serializers.BooleanField(
            required=False, help_text="Whether a service shall phase; left out: not looked at."
        )

    @extend_schema(
        summary="What the checks of a file found",
        description=(
            "The newest report, and the newest result beside each panel. Before the first check "
            "is done it is what the upload showed."
        ),
        responses={200: CheckOutput, 404: NOT_THERE},
    )
    def get(self, request: Request, genotype_id: str) -> Response:
        file = access.own_file(user_id=caller_id(request), file_id=genotype_id)
        done = queries.latest_checks(file)
        asked = {panel for run in done for panel in run.parameters["panels"]}
        shown = shown_check(
            file,
            latest=queries.latest_run(file, kind=FileRun.Kind.CHECK),
            done=done,
            panels=registry.panels_by_id(panel_ids=asked),
        )
        return Response(CheckOutput(shown).data)

    @extend_schema(
        summary="Check a file",
        description="Asking again for the check that is at work is asking once.",
        request=CheckInput,
        responses={
            202: FileRunOutput,
            403: OpenApiResponse(description="The role does not allow it."),
            404: NOT_THERE,
            409: _AT_WORK,
        },
    )
    def post(self, request: Request, genotype_id: str) -> Response:
        file = _file_to_work_on(request, genotype_id)
        given = self.CheckInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        panels = sorted(set(wanted["panels"]))
        _check_panels(panels, field="panels")
        parameters = {**wanted, "panels": panels}
        return _started(request, file, kind=FileRun.Kind.CHECK, parameters=parameters)


@extend_schema(parameters=[FILE_ID])
class RepairsView(APIView):
    """Repairs of a file. What they make are new files; the original stays as it is."""

    permission_classes = [in_scope("files")]

    class RepairInput(Body):
        repairs = serializers.ListField(
            child=serializers.ChoiceField(choices=[each.value for each in Repair]),
            min_length=1,
            max_length=len(Repair),
            help_text="Any of them, done together in their own order.",
        )
        panel = Id(required=False, help_text="The panel whose alleles count, for swap and flip.")
        build = serializers.ChoiceField(
            choices=BUILDS, required=False, help_text="Of the file; left out: the file tells."
        )

    @extend_schema(
        summary="Repair a file",
        description="Asking again for the repairs that are at work is asking once.",
        request=RepairInput,
        responses={
            202: FileRunOutput,
            403: OpenApiResponse(description="The role does not allow it."),
            404: NOT_THERE,
            409: _AT_WORK,
        },
    )
    def post(self, request: Request, genotype_id: str) -> Response:
        file = _file_to_work_on(request, genotype_id)
        given = self.RepairInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        if "panel" in wanted:
            _check_panels([wanted["panel"]], field="panel")
            if not queries.site_tables(panel_ids=[wanted["panel"]]):
                raise ValidationError({"panel": ["The sites of this panel are not known here."]})
        parameters = {**wanted, "repairs": sorted(set(wanted["repairs"]))}
        return _started(request, file, kind=FileRun.Kind.REPAIR, parameters=parameters)


@extend_schema(parameters=[FILE_ID])
class FileRunListView(ListAPIView[FileRun]):
    """The checks and repairs of a file, newest first."""

    permission_classes = [in_scope("files")]
    serializer_class = FileRunOutput

    @extend_schema(summary="The checks and repairs of a file, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[FileRun]:
        file = access.own_file(user_id=caller_id(self.request), file_id=self.kwargs["genotype_id"])
        return queries.runs_of(file)


@extend_schema(parameters=[FILE_ID, _RUN_ID])
class FileRunView(APIView):
    """One check or repair, and how far it is."""

    permission_classes = [in_scope("files")]

    @extend_schema(
        summary="One check or repair, and how far it is",
        responses={200: FileRunOutput, 404: NOT_THERE},
    )
    def get(self, request: Request, genotype_id: str, run_id: str) -> Response:
        run = access.own_run(user_id=caller_id(request), file_id=genotype_id, run_id=run_id)
        return Response(FileRunOutput(run).data)


@extend_schema(parameters=[FILE_ID, _RUN_ID])
class CancelRunView(APIView):
    """Ends a check or a repair; its process is killed within a second."""

    permission_classes = [in_scope("files")]

    @extend_schema(
        summary="Cancel a check or a repair",
        request=None,
        responses={
            202: FileRunOutput,
            404: NOT_THERE,
            409: OpenApiResponse(description="It is done or failed already."),
        },
    )
    def post(self, request: Request, genotype_id: str, run_id: str) -> Response:
        run = access.own_run(user_id=caller_id(request), file_id=genotype_id, run_id=run_id)
        try:
            run = operations.cancel_run(run.pk, now=timezone.now())
        except FileRun.DoesNotExist:
            raise NotFound from None
        except operations.AlreadyOver as refused:
            return Response({"error": str(refused)}, status=409)
        return Response(FileRunOutput(run).data, status=202)


def _file_to_work_on(request: Request, genotype_id: str) -> GenotypeFile:
    file = access.own_file(user_id=caller_id(request), file_id=genotype_id)
    access.refuse_work(find_rights(request.user))
    return file


def _check_panels(panel_ids: list[int], *, field: str) -> None:
    """Let panels pass that are there and active.

    Raises:
        ValidationError: With a sentence for each that is not.
    """
    known = registry.panels_by_id(panel_ids=panel_ids)
    wrong = [
        f'Invalid pk "{panel_id}" - object does not exist.'
        for panel_id in panel_ids
        if panel_id not in known
    ]
    wrong += [f"Panel {panel.pk} is not active." for panel in known.values() if not panel.is_active]
    if wrong:
        raise ValidationError({field: wrong})


def _started(
    request: Request, file: GenotypeFile, *, kind: str, parameters: Mapping[str, Any]
) -> Response:
    try:
        run = operations.start_run(
            file.pk,
            user_id=caller_id(request),
            kind=kind,
            parameters=parameters,
            now=timezone.now(),
        )
    except GenotypeFile.DoesNotExist:
        raise NotFound from None
    except operations.AlreadyAtWork as refused:
        return Response({"error": str(refused)}, status=409)
    return Response(FileRunOutput(run).data, status=202)
