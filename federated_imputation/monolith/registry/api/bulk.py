"""Many services at once.

Each item is a write of its own, with its own result: what is wrong with one does not undo the
others. A request of which nothing could be done is refused as a whole (400), with what is wrong by
position.

Fields of a serializer are no attributes of its class, so `errors` and `data` hide nothing of REST
framework's; the types cannot know.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.contracts.errors import complete_error
from apps.shared.api.bodies import Body
from apps.shared.api.numbers import Id
from apps.shared.api.origin import origin_of
from apps.shared.api.parsers import JSONParser
from federated_imputation.monolith.accounts.queries import find_rights
from federated_imputation.monolith.registry import operations
from federated_imputation.monolith.registry.access import MakesServices
from federated_imputation.monolith.registry.api.refusals import answering_refusals
from federated_imputation.monolith.registry.api.services import (
    INVALID,
    Service,
    ServiceInput,
)
from federated_imputation.monolith.registry.models import ImputationService

__all__ = ["BulkCreateView", "BulkDeleteView", "BulkUpdateView"]

_MOST: Final = 100
_Write = Callable[[Any], ImputationService | None]


class _Item(serializers.DictField):
    """Looked at when its turn comes, so that a wrong one does not stop the others."""


class BulkError(serializers.Serializer[Any]):
    """Why one item was not done."""

    index = serializers.IntegerField(help_text="Its place in the request, from 0.")
    id = serializers.IntegerField(allow_null=True, help_text="Of the service, where one is named.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        help_text="What is wrong, by field.",
    )


class _BulkView(APIView):
    permission_classes = [MakesServices]


class BulkCreateView(_BulkView):
    """Makes several services."""

    parser_classes = [JSONParser]  # no form can say a list of objects

    class BulkCreate(Body):
        services = serializers.ListField(child=_Item(), min_length=1, max_length=_MOST)

    class BulkCreateInput(Body):
        services = serializers.ListField(child=ServiceInput(), min_length=1, max_length=_MOST)

    class BulkCreated(serializers.Serializer[Any]):
        message = serializers.CharField()
        created = Service(many=True)
        created_count = serializers.IntegerField()
        errors = BulkError(many=True)  # type: ignore[assignment]
        error_count = serializers.IntegerField()

    @extend_schema(
        summary="Make several services",
        request=BulkCreateInput,
        responses={201: BulkCreated, 400: INVALID},
    )
    def post(self, request: Request) -> Response:
        given = self.BulkCreate(data=request.data)
        given.is_valid(raise_exception=True)
        write = _Writer(request)
        done = _each("services", given.validated_data["services"], write.create)
        return Response(done.answer("created"), status=201)


class BulkUpdateView(_BulkView):
    """Changes fields of several services."""

    parser_classes = [JSONParser]

    class BulkUpdate(Body):
        updates = serializers.ListField(child=_Item(), min_length=1, max_length=_MOST)

    class BulkUpdateInput(Body):
        class Update(Body):
            id = Id()
            data = ServiceInput(partial=True)  # type: ignore[assignment]

        updates = serializers.ListField(child=Update(), min_length=1, max_length=_MOST)

    class BulkUpdated(serializers.Serializer[Any]):
        message = serializers.CharField()
        updated = Service(many=True)
        updated_count = serializers.IntegerField()
        errors = BulkError(many=True)  # type: ignore[assignment]
        error_count = serializers.IntegerField()

    @extend_schema(
        summary="Change fields of several services",
        request=BulkUpdateInput,
        responses={200: BulkUpdated, 400: INVALID},
    )
    def patch(self, request: Request) -> Response:
        given = self.BulkUpdate(data=request.data)
        given.is_valid(raise_exception=True)
        write = _Writer(request)
        done = _each("updates", given.validated_data["updates"], write.update)
        return Response(done.answer("updated"))


class BulkDeleteView(_BulkView):
    """Switches several services off, or deletes them."""

    class BulkDelete(Body):
        service_ids = serializers.ListField(child=Id(), min_length=1, max_length=_MOST)
        force_delete = serializers.BooleanField(required=False, default=False)

    class BulkDeleted(serializers.Serializer[Any]):
        message = serializers.CharField()
        deleted = serializers.ListField(
            child=serializers.IntegerField(), help_text="Ids of those that are gone."
        )
        deactivated = serializers.ListField(
            child=serializers.IntegerField(), help_text="Ids of those that are switched off."
        )
        deleted_count = serializers.IntegerField()
        deactivated_count = serializers.IntegerField()
        errors = BulkError(many=True)  # type: ignore[assignment]
        error_count = serializers.IntegerField()

    @extend_schema(
        summary="Switch several services off, or delete them",
        description=(
            "Takes a JSON body, which OpenAPI 3.0 cannot describe for DELETE: `service_ids`, a "
            "list of 1 to 100 ids, and `force_delete`, true to delete them for good."
        ),
        responses={200: BulkDeleted, 400: INVALID},
    )
    def delete(self, request: Request) -> Response:
        given = self.BulkDelete(data=request.data)
        given.is_valid(raise_exception=True)
        force = given.validated_data["force_delete"]
        ids = list(dict.fromkeys(given.validated_data["service_ids"]))
        write = _Writer(request)
        done = _each("service_ids", ids, lambda service_id: write.delete(service_id, force=force))
        deleted = [ids[index] for index, kept in done.results if kept is None]
        off = [ids[index] for index, kept in done.results if kept is not None]
        return Response(
            {
                "message": f"{len(deleted)} services deleted, {len(off)} deactivated",
                "deleted": deleted,
                "deactivated": off,
                "deleted_count": len(deleted),
                "deactivated_count": len(off),
                "errors": done.errors,
                "error_count": len(done.errors),
            }
        )


class _Update(Body):
    id = Id()
    data = _Item()  # type: ignore[assignment]


class _Writer:
    """The writes of one request, each of one item."""

    def __init__(self, request: Request) -> None:
        self._by = find_rights(request.user)
        self._origin = origin_of(request)

    def create(self, item: Any) -> ImputationService:
        given = ServiceInput(data=item)
        given.is_valid(raise_exception=True)
        return operations.create_service(
            wanted=given.validated_data, by=self._by, origin=self._origin, now=timezone.now()
        )

    def update(self, item: Any) -> ImputationService:
        update = _Update(data=item)
        update.is_valid(raise_exception=True)
        given = ServiceInput(data=update.validated_data["data"], partial=True)
        given.is_valid(raise_exception=True)
        return operations.update_service(
            service_id=update.validated_data["id"],
            wanted=given.validated_data,
            by=self._by,
            origin=self._origin,
            now=timezone.now(),
        )

    def delete(self, service_id: int, *, force: bool) -> ImputationService | None:
        return operations.delete_service(
            service_id=service_id,
            force=force,
            by=self._by,
            origin=self._origin,
            now=timezone.now(),
        )


@dataclass(frozen=True, kw_only=True)
class _Done:
    """What came of the items.

    Attributes:
        results: Position and result of each that was done.
        errors: `BulkError` of each that was not.
    """

    results: Sequence[tuple[int, ImputationService | None]]
    errors: Sequence[Mapping[str, Any]]

    def answer(self, word: str) -> dict[str, Any]:
        return {
            "message": f"{len(self.results)} services {word}",
            word: [Service(service).data for _, service in self.results],
            f"{word}_count": len(self.results),
            "errors": self.errors,
            "error_count": len(self.errors),
        }


def _each(field: str, items: Sequence[Any], write: _Write) -> _Done:
    """Do each item for itself.

    Raises:
        ValidationError: None could be done; what is wrong by position in `field`.
    """
    results: list[tuple[int, ImputationService | None]] = []
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            with answering_refusals():
                results.append((index, write(item)))
        except ValidationError as refused:
            errors.append({"index": index, "id": _id_in(item), "errors": _by_field(refused)})
        except NotFound:
            told = {"id": ["There is no such service."]}
            errors.append({"index": index, "id": _id_in(item), "errors": told})
    if not results:
        raise ValidationError({field: {str(error["index"]): error["errors"] for error in errors}})
    return _Done(results=results, errors=errors)


def _id_in(item: Any) -> int | None:
    named = item.get("id") if isinstance(item, Mapping) else item
    return named if isinstance(named, int) and not isinstance(named, bool) else None


def _by_field(refused: ValidationError) -> Mapping[str, list[str]]:
    told = complete_error(refused.detail, status=refused.status_code, request_id="")
    details: Mapping[str, list[str]] = told["details"]
    return details or {"non_field_errors": [told["message"]]}
