"""Which rows name an object, found by an index; made while everybody goes on writing."""

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # else the index could not be made beside writers

    dependencies = [("imputation", "0025_stored_content")]

    operations = [
        ValidateConstraint(model_name="storedfile", name="storedfile_content_sha256"),
        AddIndexConcurrently(
            model_name="storedfile",
            index=models.Index(
                fields=["content"], condition=~Q(content=""), name="storedfile_content"
            ),
        ),
    ]
