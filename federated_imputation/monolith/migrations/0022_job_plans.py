"""Templates, batches and schedules of jobs, under the names that the legacy code has for them.

The foreign keys act by themselves: a legacy process on the same database that deletes an account,
a service, a panel or a job knows nothing of most of these rows, and must not be held up by them.
For the same reason the database keeps what a batch says of its jobs. Each trigger locks the batch
before it counts, so that of two jobs that end at the same time the later one counts both; whoever
changes jobs holds them before their batch, never the other way about.
"""

import uuid

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_jobtemplate
    ADD CONSTRAINT jobtemplate_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT jobtemplate_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT jobtemplate_panel FOREIGN KEY (reference_panel_id)
    REFERENCES imputation_referencepanel (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_jobbatch
    ADD CONSTRAINT jobbatch_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT jobbatch_template FOREIGN KEY (template_id)
    REFERENCES imputation_jobtemplate (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_batchjob
    ADD CONSTRAINT batchjob_job FOREIGN KEY (job_id) REFERENCES imputation_imputationjob (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT batchjob_batch FOREIGN KEY (batch_id) REFERENCES imputation_jobbatch (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_scheduledjob
    ADD CONSTRAINT scheduledjob_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT scheduledjob_template FOREIGN KEY (template_id)
    REFERENCES imputation_jobtemplate (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT scheduledjob_file FOREIGN KEY (genotype_file_id)
    REFERENCES imputation_genotypefile (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_scheduledexecution
    ADD CONSTRAINT scheduledexecution_schedule FOREIGN KEY (schedule_id)
    REFERENCES imputation_scheduledjob (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT scheduledexecution_job FOREIGN KEY (job_id)
    REFERENCES imputation_imputationjob (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
"""

# What `decisions.batch_status` says, for whoever reads the table; a test holds them together.
KEEP_COUNTS = """
CREATE FUNCTION imputation_batch_count(batches uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM imputation_jobbatch WHERE id = ANY (batches) ORDER BY id FOR NO KEY UPDATE;
    WITH counted AS (
        SELECT batch.id,
            count(job.id) AS total,
            count(job.id) FILTER (WHERE job.status = 'pending') AS pending,
            count(job.id) FILTER (WHERE job.status = 'completed') AS completed,
            count(job.id) FILTER (WHERE job.status = 'failed') AS failed,
            count(job.id) FILTER (WHERE job.status = 'cancelled') AS cancelled
        FROM unnest(batches) AS batch (id)
        LEFT JOIN imputation_batchjob AS link ON link.batch_id = batch.id
        LEFT JOIN imputation_imputationjob AS job ON job.id = link.job_id
        GROUP BY batch.id
    ), told AS (
        SELECT counted.*, CASE
            WHEN total > completed + failed + cancelled THEN
                CASE WHEN pending = total THEN 'pending' ELSE 'running' END
            WHEN failed > 0 THEN 'failed'
            WHEN cancelled > 0 THEN 'cancelled'
            ELSE 'completed' END AS status
        FROM counted
    )
    UPDATE imputation_jobbatch AS batch
    SET status = told.status, total_jobs = told.total, completed_jobs = told.completed,
        failed_jobs = told.failed, updated_at = now(),
        started_at = CASE WHEN told.status <> 'pending' THEN coalesce(batch.started_at, now()) END,
        completed_at = CASE WHEN told.status IN ('completed', 'failed', 'cancelled')
                            THEN coalesce(batch.completed_at, now()) END
    FROM told WHERE batch.id = told.id;
END $$;

CREATE FUNCTION imputation_batch_links() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM imputation_batch_count(array_agg(DISTINCT batch_id)) FROM changed HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION imputation_batch_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM imputation_batch_count(ARRAY[batch_id]) FROM imputation_batchjob WHERE job_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER imputation_batch_joined AFTER INSERT ON imputation_batchjob
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION imputation_batch_links();
CREATE TRIGGER imputation_batch_left AFTER DELETE ON imputation_batchjob
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION imputation_batch_links();
CREATE TRIGGER imputation_batch_job AFTER UPDATE OF status ON imputation_imputationjob
FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
EXECUTE FUNCTION imputation_batch_job();
"""
FORGET_COUNTS = """
DROP TRIGGER imputation_batch_job ON imputation_imputationjob;
DROP TRIGGER imputation_batch_left ON imputation_batchjob;
DROP TRIGGER imputation_batch_joined ON imputation_batchjob;
DROP FUNCTION imputation_batch_job, imputation_batch_links;
DROP FUNCTION imputation_batch_count;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("imputation", "0021_stored_answers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="JobTemplate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("input_format", models.CharField(db_default="vcf", default="vcf", max_length=20)),
                ("build", models.CharField(db_default="hg38", default="hg38", max_length=20)),
                ("phasing", models.BooleanField(db_default=False, default=False)),
                (
                    "population",
                    models.CharField(blank=True, db_default="", default="", max_length=100),
                ),
                ("is_public", models.BooleanField(db_default=False, default=False)),
                ("usage_count", models.PositiveIntegerField(db_default=0, default=0)),
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
                    "reference_panel",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="job_templates",
                        to="imputation.referencepanel",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="job_templates",
                        to="imputation.imputationservice",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="job_templates",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="JobBatch",
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
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("running", "Running"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="pending",
                        default="pending",
                        max_length=20,
                    ),
                ),
                ("total_jobs", models.PositiveIntegerField(db_default=0, default=0)),
                ("completed_jobs", models.PositiveIntegerField(db_default=0, default=0)),
                ("failed_jobs", models.PositiveIntegerField(db_default=0, default=0)),
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
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="job_batches",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="batches",
                        to="imputation.jobtemplate",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ScheduledJob",
            fields=[
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                (
                    "schedule_type",
                    models.CharField(
                        choices=[
                            ("once", "Once"),
                            ("daily", "Daily"),
                            ("weekly", "Weekly"),
                            ("monthly", "Monthly"),
                        ],
                        max_length=20,
                    ),
                ),
                ("scheduled_time", models.DateTimeField()),
                ("time_zone", models.CharField(db_default="UTC", default="UTC", max_length=50)),
                ("recurrence_interval", models.PositiveIntegerField(db_default=1, default=1)),
                ("max_executions", models.PositiveIntegerField(blank=True, null=True)),
                ("is_active", models.BooleanField(db_default=False, default=False)),
                ("inactive_because", models.TextField(blank=True, db_default="", default="")),
                ("execution_count", models.PositiveIntegerField(db_default=0, default=0)),
                ("refusals_in_a_row", models.PositiveIntegerField(db_default=0, default=0)),
                ("last_execution", models.DateTimeField(blank=True, null=True)),
                ("next_execution", models.DateTimeField(blank=True, null=True)),
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
                ("fence", models.BigIntegerField(db_default=0, default=0)),
                (
                    "genotype_file",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="scheduled_jobs",
                        to="imputation.genotypefile",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="scheduled_jobs",
                        to="imputation.jobtemplate",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scheduled_jobs",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ScheduledExecution",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("executed_at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("submitted", "A job was made"),
                            ("refused", "The job was refused"),
                        ],
                        max_length=10,
                    ),
                ),
                ("message", models.TextField(blank=True, db_default="", default="")),
                ("missed", models.PositiveIntegerField(db_default=0, default=0)),
                ("is_by_hand", models.BooleanField(db_default=False, default=False)),
                (
                    "job",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="scheduled_executions",
                        to="imputation.imputationjob",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="executions",
                        to="imputation.scheduledjob",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BatchJob",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="batch_link",
                        serialize=False,
                        to="imputation.imputationjob",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="links",
                        to="imputation.jobbatch",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("batch", "position"), name="batchjob_one_a_place"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("position__gte", 1)), name="batchjob_places_from_1"
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="jobtemplate",
            index=models.Index(fields=["user", "-created_at", "id"], name="jobtemplate_of_user"),
        ),
        migrations.AddIndex(
            model_name="jobtemplate",
            index=models.Index(
                condition=models.Q(("is_public", True)),
                fields=["-created_at", "id"],
                name="jobtemplate_public",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobtemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="jobtemplate_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="jobtemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("build", ""), _negated=True), name="jobtemplate_has_a_build"
            ),
        ),
        migrations.AddIndex(
            model_name="jobbatch",
            index=models.Index(fields=["user", "-created_at", "id"], name="jobbatch_of_user"),
        ),
        migrations.AddConstraint(
            model_name="jobbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="jobbatch_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="jobbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["pending", "running", "completed", "failed", "cancelled"])
                ),
                name="jobbatch_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="jobbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_jobs__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("completed_jobs"), "+", models.F("failed_jobs")
                        ),
                    )
                ),
                name="jobbatch_counts_add_up",
            ),
        ),
        migrations.AddIndex(
            model_name="scheduledjob",
            index=models.Index(fields=["user", "-created_at", "id"], name="scheduledjob_of_user"),
        ),
        migrations.AddIndex(
            model_name="scheduledjob",
            index=models.Index(
                condition=models.Q(("next_execution__isnull", False)),
                fields=["next_execution", "id"],
                name="scheduledjob_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="scheduledjob_has_a_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("schedule_type__in", ["once", "daily", "weekly", "monthly"])),
                name="scheduledjob_type",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("recurrence_interval__gte", 1)),
                name="scheduledjob_interval_from_1",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("max_executions__isnull", True), ("max_executions__gte", 1), _connector="OR"
                ),
                name="scheduledjob_executions_from_1",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("inactive_because", ""),
                        ("is_active", True),
                        ("next_execution__isnull", False),
                    ),
                    models.Q(("is_active", False), ("next_execution__isnull", True)),
                    _connector="OR",
                ),
                name="scheduledjob_active_until_over",
            ),
        ),
        migrations.AddIndex(
            model_name="scheduledexecution",
            index=models.Index(
                fields=["schedule", "-executed_at", "-id"], name="scheduledexecution_of"
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexecution",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_by_hand", False)),
                fields=("schedule", "due_at"),
                name="scheduledexecution_once_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduledexecution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome", "submitted"),
                    models.Q(
                        ("job__isnull", True),
                        ("outcome", "refused"),
                        models.Q(("message", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="scheduledexecution_outcome",
            ),
        ),
        LockTables(
            against_writes=(
                "auth_user",
                "imputation_imputationjob",
                "imputation_imputationservice",
                "imputation_referencepanel",
            )
        ),
        migrations.RunSQL(MAKE_KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP_COUNTS, FORGET_COUNTS),
    ]
