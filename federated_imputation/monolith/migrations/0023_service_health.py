"""What the checks of services found: the last of each, and those of the past.

The foreign keys act by themselves, as in 0015: a legacy process may delete a service.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_servicehealth
    ADD CONSTRAINT servicehealth_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_servicecheck
    ADD CONSTRAINT servicecheck_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""
STATUSES = [
    ("healthy", "healthy"),
    ("unhealthy", "unhealthy"),
    ("timeout", "timeout"),
    ("maintenance", "maintenance"),
]


class Migration(migrations.Migration):
    dependencies = [("imputation", "0022_job_plans")]

    operations = [
        migrations.CreateModel(
            name="ServiceHealth",
            fields=[
                (
                    "service",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="health",
                        serialize=False,
                        to="imputation.imputationservice",
                    ),
                ),
                ("subject", models.TextField(blank=True, db_default="", default="")),
                (
                    "status",
                    models.CharField(
                        blank=True, choices=STATUSES, db_default="", default="", max_length=20
                    ),
                ),
                ("message", models.TextField(blank=True, db_default="", default="")),
                ("test_url", models.TextField(blank=True, db_default="", default="")),
                ("response_time_ms", models.FloatField(blank=True, null=True)),
                ("error", models.TextField(blank=True, db_default="", default="")),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                ("since", models.DateTimeField(blank=True, null=True)),
                ("next_check_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("claimed_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(status="", checked_at__isnull=True, since__isnull=True)
                        | (~Q(status="") & Q(checked_at__isnull=False, since__isnull=False)),
                        name="servicehealth_checked_or_not",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("status", models.CharField(choices=STATUSES, max_length=20)),
                ("response_time_ms", models.FloatField(blank=True, null=True)),
                ("checked_at", models.DateTimeField()),
                (
                    "service",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checks",
                        to="imputation.imputationservice",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["service", "-checked_at"], name="servicecheck_of_service"),
                    models.Index(fields=["checked_at"], name="servicecheck_when"),
                ],
            },
        ),
        LockTables(against_writes=("imputation_imputationservice",)),
        migrations.RunSQL(MAKE_KEYS, migrations.RunSQL.noop),
    ]
