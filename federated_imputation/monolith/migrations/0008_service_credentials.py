"""One table for all secrets of external services, encrypted.

The foreign keys act by themselves: a legacy process on the same database that deletes an account
or a service knows nothing of these rows, and must not be held up by them.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_servicecredential
    ADD CONSTRAINT servicecredential_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT servicecredential_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("imputation", "0007_servicepermission_serviceusergroup_userrole_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="ServiceCredential",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job_id", models.UUIDField(blank=True, db_index=True, null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("api_token", "API token"),
                            ("api_secret", "API secret"),
                            ("job_token", "API token of one job"),
                            ("result_password", "Password of one job's result files"),
                        ],
                        max_length=20,
                    ),
                ),
                ("label", models.CharField(blank=True, default="", max_length=100)),
                ("encrypted", models.TextField(editable=False)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                (
                    "service",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="credentials",
                        to="imputation.imputationservice",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="service_credentials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(kind__in=["api_token", "api_secret"], job_id__isnull=True)
                        | Q(
                            kind__in=["job_token", "result_password"],
                            job_id__isnull=False,
                            user__isnull=False,
                        ),
                        name="servicecredential_kind_fits_owner",
                    ),
                    models.CheckConstraint(
                        condition=~Q(encrypted=""), name="servicecredential_is_not_empty"
                    ),
                    models.UniqueConstraint(
                        fields=["service", "user", "kind"],
                        condition=Q(job_id__isnull=True),
                        nulls_distinct=False,
                        name="servicecredential_one_per_owner",
                    ),
                    models.UniqueConstraint(
                        fields=["job_id", "kind"],
                        condition=Q(job_id__isnull=False),
                        name="servicecredential_one_per_job",
                    ),
                ]
            },
        ),
        LockTables(against_writes=("auth_user", "imputation_imputationservice")),
        migrations.RunSQL(MAKE_KEYS, migrations.RunSQL.noop),
    ]
