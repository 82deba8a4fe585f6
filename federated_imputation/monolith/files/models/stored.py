"""Every file that the platform keeps or knows of, whatever it belongs to."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

__all__ = ["StoredFile"]


class StoredFile(models.Model):
    """A file: whose it is, what it is, and where its bytes lie.

    Each row says in the files' own table what another table says beside other things: the input of
    a job, one of its result files, a genotype file. `source` names that place and is what makes a
    copy of it unique. Until those columns are given up, they have the last word: the database's own
    triggers (migration 0018) carry what anybody writes there over to here in the same transaction,
    and the backfills bring what was there before. Nobody inserts or deletes here. Two things are
    written here first: `sha256` of an input, since no column of a job has it, and `content`, the
    SHA-256 of the bytes in the store (`files.objects`), '' until they are there. `content` was
    computed from the bytes, `sha256` is what somebody says of them.

    Owner and job are plain ids, since they move to databases of their own; the end of any of them
    ends the row. A path is below `DATA_ROOT`; what leads out of it was the earlier system's. Rows
    may name the same bytes, which go with the last of them. When a row tells of another path, size
    or checksum than before, the database forgets its `content` (migration 0025).
    """

    class Kind(models.TextChoices):
        INPUT = "input", "Input of a job"
        RESULT = "result", "Result of a job"
        GENOTYPE = "genotype", "Genotype file of a user"

    source = models.CharField(max_length=100, unique=True)
    uuid = models.UUIDField(unique=True, db_default=RandomUUID(), editable=False)
    user_id = models.IntegerField()
    job_id = models.UUIDField(null=True, blank=True)
    result_id = models.BigIntegerField(null=True, blank=True, unique=True)
    genotype_id = models.UUIDField(null=True, blank=True, unique=True)
    kind = models.CharField(max_length=10, choices=Kind)
    detail = models.CharField(max_length=20, blank=True, db_default="")
    name = models.CharField(max_length=255, blank=True, db_default="")
    size = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, db_default="")
    md5 = models.CharField(max_length=32, blank=True, db_default="")
    path = models.CharField(max_length=500, blank=True, db_default="")
    content = models.CharField(max_length=64, blank=True, db_default="")
    url = models.TextField(blank=True, db_default="")
    is_available = models.BooleanField(db_default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["user_id", "-created_at", "id"], name="storedfile_of_user"),
            models.Index(fields=["job_id"], name="storedfile_of_job"),
            models.Index(fields=["path"], name="storedfile_path"),
            models.Index(fields=["content"], condition=~Q(content=""), name="storedfile_content"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["input", "result"], job_id__isnull=False)
                & Q(genotype_id__isnull=True)
                | Q(kind="genotype", job_id__isnull=True, result_id__isnull=True)
                & Q(genotype_id__isnull=False),
                name="storedfile_kind_fits_owner",
            ),
            models.CheckConstraint(condition=Q(size__gte=0), name="storedfile_size"),
            models.CheckConstraint(
                condition=Q(sha256="") | Q(sha256__regex="^[0-9a-f]{64}$"), name="storedfile_sha256"
            ),
            models.CheckConstraint(
                condition=Q(content="") | Q(content__regex="^[0-9a-f]{64}$"),
                name="storedfile_content_sha256",
            ),
            models.CheckConstraint(
                condition=Q(md5="") | Q(md5__regex="^[0-9a-f]{32}$"), name="storedfile_md5"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"
