"""Where the work on each job stands.

A job that the legacy system left at a service, with the service's id, is followed from now on. A
job without one is left alone: nobody knows whether it was sent, and its owner may cancel it and
try again.

The foreign key acts by itself: a legacy process on the same database that deletes a job knows
nothing of these rows, and must not be held up by them.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

FOLLOW_JOBS_AT_A_SERVICE = """
INSERT INTO imputation_jobwork (
    job_id, phase, attempt, next_poll_at, fence, failure, failures, last_error, searches, restarts,
    quiet_polls, cuts, skipped
)
SELECT id, 'follow', 1, now(), 0, '', 0, '', 0, 0, 0, 0, '[]'
FROM imputation_imputationjob
WHERE status IN ('queued', 'running') AND external_job_id <> ''
"""

MAKE_KEY = """
ALTER TABLE imputation_jobwork
    ADD CONSTRAINT jobwork_job FOREIGN KEY (job_id) REFERENCES imputation_imputationjob (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0010_referencepanel_populations")]

    operations = [
        migrations.CreateModel(
            name="JobWork",
            fields=[
                (
                    "job",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="work",
                        serialize=False,
                        to="imputation.imputationjob",
                    ),
                ),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("submit", "To be submitted"),
                            ("submitting", "Being submitted"),
                            ("follow", "At the service"),
                            ("fetch", "Fetching files"),
                            ("done", "Done"),
                        ],
                        default="submit",
                        max_length=20,
                    ),
                ),
                ("attempt", models.PositiveIntegerField(default=1)),
                ("next_poll_at", models.DateTimeField(blank=True, null=True)),
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("failure", models.TextField(blank=True, default="")),
                ("failures", models.PositiveIntegerField(default=0)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, default="")),
                ("uncertain_since", models.DateTimeField(blank=True, null=True)),
                ("searches", models.PositiveIntegerField(default=0)),
                ("restarts", models.PositiveIntegerField(default=0)),
                ("quiet_polls", models.PositiveIntegerField(default=0)),
                ("cuts", models.PositiveIntegerField(default=0)),
                ("skipped", models.JSONField(blank=True, default=list)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_asked_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=Q(next_poll_at__isnull=False),
                        fields=["next_poll_at"],
                        name="jobwork_due",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(phase="done", next_poll_at__isnull=True)
                        | (~Q(phase="done") & Q(next_poll_at__isnull=False)),
                        name="jobwork_is_due_until_done",
                    ),
                    models.CheckConstraint(
                        condition=Q(attempt__gte=1), name="jobwork_attempts_from_1"
                    ),
                    models.CheckConstraint(
                        condition=Q(restarts__lte=2), name="jobwork_restarts_twice"
                    ),
                ],
            },
        ),
        LockTables(against_writes=("imputation_imputationjob",)),
        migrations.RunSQL(FOLLOW_JOBS_AT_A_SERVICE, migrations.RunSQL.noop),
        migrations.RunSQL(MAKE_KEY, migrations.RunSQL.noop),
    ]
