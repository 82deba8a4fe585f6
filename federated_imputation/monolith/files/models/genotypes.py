"""Genotype files that people keep here, the checks and repairs of them, and what panels hold.

The story of a run. A check or a repair is born **waiting**. A worker takes it under a lease
(`apps.shared.leases`) and it is **running**: a child process reads the file, and the worker writes
down how far it is. The child ends, and the run is **done**, with a report, or **failed**, with a
sentence. Its owner may make it **cancelled** until then; that raises the fence, so that the worker
that has it finds itself without a lease, writes nothing more and kills the child. A worker that
dies leaves a running row whose lease ends: the row is due again, and another worker starts from the
beginning, since a child keeps nothing. A worker that is told to end gives its run back, which then
waits again. After `MOST_STARTS` the run is failed: whatever kills the workers may be the file.
Done, failed and cancelled are final; who wants more asks for a new run.

Rows that belong to an account or a panel go with it by the database's own hand (migration 0014
makes the foreign keys, hence `db_constraint=False`), so that a process that knows none of these
tables can still delete either. The bytes are then swept.
"""

import uuid
from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.shared.leases import Leased

__all__ = ["MOST_STARTS", "FileRun", "GenotypeFile", "PanelSites"]

MOST_STARTS: Final = 5


class GenotypeFile(models.Model):
    """A file that its user uploaded, or that a repair made from one.

    `name` is what people see; `path` is below `DATA_ROOT` and never changes, and neither do the
    bytes there. `first_look` is what the upload already showed (stage 1 of a check).
    """

    class Format(models.TextChoices):
        VCF = "vcf", "VCF"
        VCF_GZ = "vcf.gz", "VCF, compressed"
        BCF = "bcf", "BCF"
        PLINK = "plink", "PLINK 1 binary: .bed, .bim and .fam"
        BGEN = "bgen", "BGEN"
        INDEX = "index", "Index of another file"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="genotype_files",
    )
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=200, unique=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=10, choices=Format)
    first_look = models.JSONField(db_default={})
    made_from = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        related_name="made",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["user", "-created_at", "id"], name="genotypefile_of_user")]
        constraints = [
            models.CheckConstraint(condition=Q(size__gt=0), name="genotypefile_not_empty"),
            models.CheckConstraint(
                condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="genotypefile_sha256"
            ),
            models.CheckConstraint(
                condition=Q(format__in=["vcf", "vcf.gz", "bcf", "plink", "bgen", "index"]),
                name="genotypefile_format",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def upload_name(self) -> str:
        """The name under which a service gets it; of a compressed VCF it ends in `.vcf.gz`."""
        if self.format != self.Format.VCF_GZ or self.name.lower().endswith(".vcf.gz"):
            return self.name
        return f"{self.name.partition('.vcf')[0]}.vcf.gz"


class FileRun(Leased):
    """One check or repair of a file; the module tells its story.

    `parameters` is what was asked for: `{"panels": [1], "build": "hg38", "phasing": true}` of a
    check, `{"repairs": ["sort"], "panel": 1}` of a repair. `report` is what came of it.
    """

    class Kind(models.TextChoices):
        CHECK = "check", "Check"
        REPAIR = "repair", "Repair"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ACTIVE: Final = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    file = models.ForeignKey(
        GenotypeFile, on_delete=models.CASCADE, db_constraint=False, related_name="runs"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    parameters = models.JSONField(db_default={})
    state = models.CharField(max_length=10, choices=State, db_default="waiting")
    stage = models.CharField(max_length=40, blank=True, db_default="")
    progress = models.PositiveSmallIntegerField(db_default=0)
    report = models.JSONField(null=True, blank=True)
    message = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["created_at", "id"],
                condition=Q(state__in=["waiting", "running"]),
                name="filerun_due",
            ),
            models.Index(fields=["file", "-created_at", "id"], name="filerun_of_file"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["file", "kind"],
                condition=Q(state__in=["waiting", "running"]),
                name="filerun_one_of_a_kind_at_work",
            ),
            models.CheckConstraint(condition=Q(kind__in=["check", "repair"]), name="filerun_kind"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running"], finished_at__isnull=True)
                | Q(
                    state__in=["done", "failed", "cancelled"],
                    finished_at__isnull=False,
                    lease_until__isnull=True,
                ),
                name="filerun_over_or_at_work",
            ),
            models.CheckConstraint(
                condition=Q(progress__gte=0, progress__lte=100), name="filerun_progress"
            ),
            models.CheckConstraint(
                condition=Q(state="done", report__isnull=False)
                | (~Q(state="done") & Q(report__isnull=True)),
                name="filerun_report_when_done",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(message=""), name="filerun_failed_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.file_id}: {self.state}"


class PanelSites(Leased):
    """What is known of the sites of a panel: tables in `folder`, or why there are none.

    A folder is written once, under a name of its own, and the row names it when it is whole; what
    a running check reads stays until it is swept a day later. `sources` are the SHA-256 of the
    lists by name. A row without a source is a panel whose service was asked, and has none.
    """

    class Source(models.TextChoices):
        NONE = "", "None"
        SERVICE = "service", "Published by the service"
        OPERATOR = "operator", "Installed by an operator"

    panel = models.OneToOneField(
        "imputation.ReferencePanel",
        on_delete=models.CASCADE,
        db_constraint=False,
        primary_key=True,
        related_name="sites",
    )
    folder = models.CharField(max_length=200, blank=True, db_default="")
    sources = models.JSONField(db_default={})
    source = models.CharField(max_length=10, blank=True, choices=Source, db_default="")
    message = models.TextField(blank=True, db_default="")
    fetched_at = models.DateTimeField(null=True, blank=True)
    next_fetch_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(source="", folder="", fetched_at__isnull=True)
                | (Q(source__in=["service", "operator"], fetched_at__isnull=False) & ~Q(folder="")),
                name="panelsites_tables_with_a_source",
            ),
        ]

    def __str__(self) -> str:
        return f"Sites of panel {self.panel_id}"
