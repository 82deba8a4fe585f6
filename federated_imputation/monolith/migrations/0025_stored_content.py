"""Which object of the store holds the bytes of a file: beside what other tables say of it.

What the triggers of 0018 bring over is somebody's word; `content` was computed from the bytes. So
it is theirs as long as that word stays the same, and a row that tells of another file forgets it:
whoever writes, a legacy process included. The bytes are then found at the path, until the backfill
`bytes-of-files` has put them into the store.

The column needs a lock of the table for a moment, and every writer of a job waits for that.
"""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

MAKE_TRIGGER = """
CREATE FUNCTION imputation_storedfile_other_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.content := '';
    RETURN NEW;
END $$;
CREATE TRIGGER imputation_storedfile_other_bytes
    BEFORE UPDATE OF path, size, sha256, md5 ON imputation_storedfile
    FOR EACH ROW
    WHEN (
        OLD.content <> '' AND NEW.content = OLD.content
        AND (OLD.path, OLD.size, OLD.sha256, OLD.md5)
            IS DISTINCT FROM (NEW.path, NEW.size, NEW.sha256, NEW.md5)
    )
    EXECUTE FUNCTION imputation_storedfile_other_bytes();
"""
DROP_TRIGGER = """
DROP TRIGGER imputation_storedfile_other_bytes ON imputation_storedfile;
DROP FUNCTION imputation_storedfile_other_bytes();
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0024_deletions")]

    operations = [
        LockTables(against_all=("imputation_storedfile",)),
        migrations.AddField(
            model_name="storedfile",
            name="content",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        AddConstraintNotValid(
            model_name="storedfile",
            constraint=models.CheckConstraint(
                condition=Q(content="") | Q(content__regex="^[0-9a-f]{64}$"),
                name="storedfile_content_sha256",
            ),
        ),
        migrations.RunSQL(MAKE_TRIGGER, DROP_TRIGGER),
    ]
