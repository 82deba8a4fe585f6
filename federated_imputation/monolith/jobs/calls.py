"""One job's calls to its service: with the token that is best now, and only when it answers."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from apps.federation.protocol import (
    Down,
    FederationError,
    ImputationService,
    NotAuthenticated,
    Uncertain,
    Unreachable,
)
from apps.federation.tokens import expiry
from federated_imputation.monolith.accounts import queries as accounts
from federated_imputation.monolith.jobs.clients import Connect
from federated_imputation.monolith.jobs.models import ImputationJob
from federated_imputation.monolith.registry import operations as registry
from federated_imputation.monolith.registry.operations import Pass

__all__ = ["Calls"]

T = TypeVar("T")


def _nearest_token(job: ImputationJob, now: datetime) -> str | None:
    return accounts.reveal_credential(
        service_id=job.service_id, user_id=job.user_id, job_id=job.pk, now=now
    )


class Calls:
    """The calls of one step.

    Args:
        token, enter: Where the token and the leave to call come from, for who has read those of
            many jobs at once.

    Attributes:
        token_expires: When the token that was used last expires by its own words.
    """

    def __init__(
        self,
        job: ImputationJob,
        *,
        clock: Callable[[], datetime],
        connect: Connect,
        jitter: Callable[[], float],
        token: Callable[[ImputationJob, datetime], str | None] = _nearest_token,
        enter: Callable[..., Pass] = registry.enter,
    ) -> None:
        self._nearest_token = token
        self._enter = enter
        self.token_expires: datetime | None = None
        self._job = job
        self._clock = clock
        self._connect = connect
        self._jitter = jitter
        self._service: ImputationService | None = None
        self._may_change_token = True

    def ask(self, call: Callable[[ImputationService], T]) -> T:
        """What the service answers to `call`; asked again once if its user has a newer token.

        Raises:
            HeldBack: It is known not to answer and was not called.
            NotAuthenticated: The service needs a token and there is none (any more).
            Rejected: There is no adapter for the service's API.
            FederationError: As the call.
        """
        try:
            return self._ask_once(call)
        except NotAuthenticated:
            newer = self._newer_token()
            if newer is None:
                raise
        self._service = self._with(newer)
        return self._ask_once(call)

    def _ask_once(self, call: Callable[[ImputationService], T]) -> T:
        if self._service is None:
            self._service = self._with(self._token())
        leave = self._enter(self._job.service_id, now=self._clock())
        try:
            answer = call(self._service)
        except (Unreachable, Uncertain, Down) as error:
            registry.note_silence(leave, str(error), now=self._clock(), jitter=self._jitter())
            raise
        except FederationError:
            registry.note_answer(leave)
            raise
        registry.note_answer(leave)
        return answer

    def _with(self, token: str) -> ImputationService:
        self.token_expires = expiry(token)
        return self._connect(service=self._job.service, token=token)

    def _token(self) -> str:
        try:
            token = self._nearest_token(self._job, self._clock())
        except accounts.Undecryptable as error:
            raise NotAuthenticated(str(error), status=401) from error
        if token is None and self._job.service.api_key_required:
            raise NotAuthenticated("No valid token is stored for this service.", status=401)
        return token or ""

    def _newer_token(self) -> str | None:
        """The token that the user stored after the one refused; looked for once."""
        if not self._may_change_token:
            return None
        self._may_change_token = False
        try:
            return accounts.reveal_newer_token(
                service_id=self._job.service_id,
                user_id=self._job.user_id,
                job_id=self._job.pk,
                now=self._clock(),
            )
        except accounts.Undecryptable:
            return None
