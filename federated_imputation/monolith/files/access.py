"""Who may do what with genotype files.

| who | stores, checks, repairs | sees, downloads, deletes, cancels |
| the owner | while they may submit jobs somewhere | yes |
| anybody else | no: 404, as for an id that is none | |
"""

from rest_framework.exceptions import NotFound, PermissionDenied

from federated_imputation.monolith.accounts.queries import Capability, RightAtService, Rights
from federated_imputation.monolith.files import queries
from federated_imputation.monolith.files.models import FileRun, GenotypeFile

__all__ = ["own_file", "own_run", "refuse_work"]


def refuse_work(by: Rights) -> None:
    """Let those pass who may send jobs, by role or by a right at any service.

    Raises:
        PermissionDenied: With a sentence that says whom to ask for what.
    """
    if by.may(Capability.SUBMIT_JOBS) or by.services_with(RightAtService.SUBMIT_JOBS):
        return
    raise PermissionDenied(
        "Your role may not submit jobs, and so not store or check files for them. Ask an "
        "administrator for another role, or for the right to submit jobs to a service."
    )


def own_file(*, user_id: int, file_id: str) -> GenotypeFile:
    """The file, if it is the caller's own.

    Raises:
        NotFound: Otherwise, also for an id that is none.
    """
    file = queries.find_genotype_file(user_id=user_id, file_id=file_id)
    if file is None:
        raise NotFound
    return file


def own_run(*, user_id: int, file_id: str, run_id: str) -> FileRun:
    """The run, if it is one of a file of the caller's own.

    Raises:
        NotFound: Otherwise, also for an id that is none.
    """
    run = queries.find_run(file=own_file(user_id=user_id, file_id=file_id), run_id=run_id)
    if run is None:
        raise NotFound
    return run
