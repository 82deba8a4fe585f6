"""What is shown of a result file, here and inside a job."""

from rest_framework import serializers

from federated_imputation.monolith.files.models import ResultFile

__all__ = ["ResultFileOutput", "download_url"]


def download_url(file: ResultFile) -> str:
    """Where the bytes are, relative to the platform."""
    return f"/api/result-files/{file.pk}/download/"


class ResultFileOutput(serializers.Serializer[ResultFile]):
    id = serializers.IntegerField()
    job = serializers.UUIDField(source="job_id")
    file_type = serializers.ChoiceField(choices=ResultFile.FileType.choices)
    filename = serializers.CharField()
    file_size = serializers.IntegerField(allow_null=True)
    checksum = serializers.CharField(help_text="SHA-256, lower-case hex.")
    is_available = serializers.BooleanField()
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    download_url = serializers.SerializerMethodField()

    def get_download_url(self, file: ResultFile) -> str:
        return download_url(file)
