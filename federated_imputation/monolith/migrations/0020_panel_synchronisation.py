"""Which panels a synchronisation withdrew, and what came of the last one of each service.

A panel that is inactive without being withdrawn was switched off by a person, and stays off. The
trigger keeps that true for whoever writes `is_active` alone: an admin page, a legacy process.
The foreign key acts by itself: a legacy process that deletes a service knows nothing of these rows.
"""

import uuid

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEY = """
ALTER TABLE imputation_servicesync
    ADD CONSTRAINT servicesync_service FOREIGN KEY (service_id)
    REFERENCES imputation_imputationservice (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""

MAKE_TRIGGER = """
CREATE FUNCTION imputation_panel_switched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.withdrawn_at := NULL;
    NEW.withdrawn_because := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER imputation_panel_switched
    BEFORE UPDATE OF is_active ON imputation_referencepanel
    FOR EACH ROW
    WHEN (
        OLD.withdrawn_at IS NOT NULL
        AND NEW.is_active IS DISTINCT FROM OLD.is_active
        AND NEW.withdrawn_at IS NOT DISTINCT FROM OLD.withdrawn_at
    )
    EXECUTE FUNCTION imputation_panel_switched();
"""
DROP_TRIGGER = """
DROP TRIGGER imputation_panel_switched ON imputation_referencepanel;
DROP FUNCTION imputation_panel_switched();
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0019_parent_jobs")]

    operations = [
        migrations.CreateModel(
            name="ServiceSync",
            fields=[
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                (
                    "service",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sync",
                        serialize=False,
                        to="imputation.imputationservice",
                    ),
                ),
                ("task_id", models.UUIDField(default=uuid.uuid4)),
                ("wanted_at", models.DateTimeField(blank=True, null=True)),
                ("next_sync_at", models.DateTimeField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("", "None yet"), ("done", "Done"), ("failed", "Failed")],
                        db_default="",
                        max_length=10,
                    ),
                ),
                ("added", models.PositiveIntegerField(db_default=0)),
                ("changed", models.PositiveIntegerField(db_default=0)),
                ("withdrawn", models.PositiveIntegerField(db_default=0)),
                ("message", models.TextField(blank=True, db_default="")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(outcome="", finished_at__isnull=True)
                        | Q(outcome__in=["done", "failed"], finished_at__isnull=False),
                        name="servicesync_outcome_when_finished",
                    ),
                    models.CheckConstraint(
                        condition=~Q(outcome="failed") | ~Q(message=""),
                        name="servicesync_failed_says_why",
                    ),
                ],
            },
        ),
        LockTables(
            against_writes=("imputation_imputationservice",),
            against_all=("imputation_referencepanel",),
        ),
        migrations.AddField(
            model_name="referencepanel",
            name="withdrawn_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="referencepanel",
            name="withdrawn_because",
            field=models.TextField(blank=True, editable=False, null=True),
        ),
        migrations.RunSQL(MAKE_TRIGGER, DROP_TRIGGER),
        migrations.RunSQL(MAKE_KEY, migrations.RunSQL.noop),
    ]
