"""Result files of jobs; table as in the legacy system."""

from django.db import models
from django.utils import timezone

__all__ = ["ResultFile"]


class ResultFile(models.Model):
    """A file that a job brought back; `checksum` is SHA-256 (older rows: MD5) in lower-case hex."""

    class FileType(models.TextChoices):
        IMPUTED_DATA = "imputed_data", "Imputed data"
        QUALITY_REPORT = "quality_report", "Quality report"
        LOG_FILE = "log_file", "Log file"
        SUMMARY = "summary", "Summary"
        METADATA = "metadata", "Metadata"

    file_type = models.CharField(max_length=20, choices=FileType)
    filename = models.CharField(max_length=255)
    file_path = models.CharField(max_length=500, blank=True, default="")
    download_url = models.URLField(blank=True, default="")
    file_size = models.BigIntegerField(null=True, blank=True)
    checksum = models.CharField(max_length=64, blank=True, default="")
    is_available = models.BooleanField(default=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    job = models.ForeignKey(
        "imputation.ImputationJob", on_delete=models.CASCADE, related_name="files"
    )

    def __str__(self) -> str:
        return f"{self.filename} of job {self.job_id}"
