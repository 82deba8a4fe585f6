"""Whether a service answers, who transfers with it, and what else a step of a job has to remember.

The foreign key acts by itself: a legacy process on the same database that deletes a service knows
nothing of these rows, and must not be held up by them.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEY = """
ALTER TABLE imputation_servicestanding
    ADD CONSTRAINT servicestanding_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0014_genotype_files")]

    operations = [
        migrations.CreateModel(
            name="ServiceStanding",
            fields=[
                (
                    "service",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="standing",
                        serialize=False,
                        to="imputation.imputationservice",
                    ),
                ),
                ("failures", models.PositiveIntegerField(db_default=0, default=0)),
                ("failing_since", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
                ("next_try_at", models.DateTimeField(blank=True, null=True)),
                ("probe_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(failures=0, failing_since__isnull=True)
                        | Q(failures__gt=0, failing_since__isnull=False),
                        name="servicestanding_since_first_failure",
                    ),
                    models.CheckConstraint(
                        condition=Q(next_try_at__isnull=True, probe_until__isnull=True)
                        | Q(next_try_at__isnull=False, failures__gt=0),
                        name="servicestanding_open_by_failures",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="jobwork",
            name="lost_steps",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="jobwork",
            name="holds_place",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="jobwork",
            name="place_wanted_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="jobwork",
            name="token_warned_for",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="jobwork",
            index=models.Index(
                fields=["place_wanted_at"],
                condition=Q(holds_place=True) | Q(place_wanted_at__isnull=False),
                name="jobwork_transfers",
            ),
        ),
        LockTables(against_writes=("imputation_imputationservice",)),
        migrations.RunSQL(MAKE_KEY, migrations.RunSQL.noop),
    ]
