"""Parents of jobs: one study sent to several services.

The foreign keys act by themselves, and a parent goes with its last child: a legacy process on the
same database that deletes a job or an account knows nothing of these rows, and must not be held up
by them.
"""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_parentjob
    ADD CONSTRAINT parentjob_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_childjob
    ADD CONSTRAINT childjob_job FOREIGN KEY (job_id) REFERENCES imputation_imputationjob (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT childjob_parent FOREIGN KEY (parent_id) REFERENCES imputation_parentjob (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

CREATE FUNCTION imputation_parentjob_end() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Of two that delete the last two children, the second waits here and then sees none.
    PERFORM FROM imputation_parentjob WHERE id = OLD.parent_id FOR UPDATE;
    DELETE FROM imputation_parentjob WHERE id = OLD.parent_id AND NOT EXISTS (
        SELECT FROM imputation_childjob WHERE parent_id = OLD.parent_id
    );
    RETURN NULL;
END $$;
CREATE TRIGGER imputation_parentjob_end AFTER DELETE ON imputation_childjob
FOR EACH ROW EXECUTE FUNCTION imputation_parentjob_end();
"""

DROP_END = """
DROP TRIGGER imputation_parentjob_end ON imputation_childjob;
DROP FUNCTION imputation_parentjob_end;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("imputation", "0018_stored_files"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ParentJob",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "updated_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parent_jobs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "-created_at", "id"], name="parentjob_of_user")
                ],
            },
        ),
        migrations.CreateModel(
            name="ChildJob",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="as_child",
                        serialize=False,
                        to="imputation.imputationjob",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "parent",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="children",
                        to="imputation.parentjob",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("parent", "position"), name="childjob_one_in_a_place"
                    )
                ],
            },
        ),
        LockTables(against_writes=("auth_user", "imputation_imputationjob")),
        migrations.RunSQL(MAKE_KEYS, DROP_END),
    ]
