"""Genotype files that people keep, the checks and repairs of them, and the sites of panels.

The foreign keys act by themselves: a legacy process on the same database that deletes an account
or a panel knows nothing of these rows, and must not be held up by them.
"""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_genotypefile
    ADD CONSTRAINT genotypefile_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT genotypefile_made_from FOREIGN KEY (made_from_id)
    REFERENCES imputation_genotypefile (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_filerun
    ADD CONSTRAINT filerun_file FOREIGN KEY (file_id) REFERENCES imputation_genotypefile (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_panelsites
    ADD CONSTRAINT panelsites_panel FOREIGN KEY (panel_id)
    REFERENCES imputation_referencepanel (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("imputation", "0013_audit_chain"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GenotypeFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=255)),
                ("path", models.CharField(max_length=200, unique=True)),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("vcf", "VCF"),
                            ("vcf.gz", "VCF, compressed"),
                            ("bcf", "BCF"),
                            ("plink", "PLINK 1 binary: .bed, .bim and .fam"),
                            ("bgen", "BGEN"),
                            ("index", "Index of another file"),
                        ],
                        max_length=10,
                    ),
                ),
                ("first_look", models.JSONField(db_default={})),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "made_from",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="made",
                        to="imputation.genotypefile",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="genotype_files",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FileRun",
            fields=[
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("check", "Check"), ("repair", "Repair")], max_length=10
                    ),
                ),
                ("parameters", models.JSONField(db_default={})),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="waiting",
                        max_length=10,
                    ),
                ),
                ("stage", models.CharField(blank=True, db_default="", max_length=40)),
                ("progress", models.PositiveSmallIntegerField(db_default=0)),
                ("report", models.JSONField(blank=True, null=True)),
                ("message", models.TextField(blank=True, db_default="")),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "file",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="imputation.genotypefile",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="PanelSites",
            fields=[
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                (
                    "panel",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="sites",
                        serialize=False,
                        to="imputation.referencepanel",
                    ),
                ),
                ("folder", models.CharField(blank=True, db_default="", max_length=200)),
                ("sources", models.JSONField(db_default={})),
                (
                    "source",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "None"),
                            ("service", "Published by the service"),
                            ("operator", "Installed by an operator"),
                        ],
                        db_default="",
                        max_length=10,
                    ),
                ),
                ("message", models.TextField(blank=True, db_default="")),
                ("fetched_at", models.DateTimeField(blank=True, null=True)),
                ("next_fetch_at", models.DateTimeField(blank=True, null=True)),
                ("failures", models.PositiveIntegerField(db_default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("fetched_at__isnull", True), ("folder", ""), ("source", "")),
                            models.Q(
                                ("fetched_at__isnull", False),
                                ("source__in", ["service", "operator"]),
                                models.Q(("folder", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="panelsites_tables_with_a_source",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="genotypefile",
            index=models.Index(fields=["user", "-created_at", "id"], name="genotypefile_of_user"),
        ),
        migrations.AddConstraint(
            model_name="genotypefile",
            constraint=models.CheckConstraint(
                condition=models.Q(("size__gt", 0)), name="genotypefile_not_empty"
            ),
        ),
        migrations.AddConstraint(
            model_name="genotypefile",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="genotypefile_sha256"
            ),
        ),
        migrations.AddConstraint(
            model_name="genotypefile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("format__in", ["vcf", "vcf.gz", "bcf", "plink", "bgen", "index"])
                ),
                name="genotypefile_format",
            ),
        ),
        migrations.AddIndex(
            model_name="filerun",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "running"])),
                fields=["created_at", "id"],
                name="filerun_due",
            ),
        ),
        migrations.AddIndex(
            model_name="filerun",
            index=models.Index(fields=["file", "-created_at", "id"], name="filerun_of_file"),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["waiting", "running"])),
                fields=("file", "kind"),
                name="filerun_one_of_a_kind_at_work",
            ),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["check", "repair"])), name="filerun_kind"
            ),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", True), ("state__in", ["waiting", "running"])),
                    models.Q(
                        ("finished_at__isnull", False),
                        ("lease_until__isnull", True),
                        ("state__in", ["done", "failed", "cancelled"]),
                    ),
                    _connector="OR",
                ),
                name="filerun_over_or_at_work",
            ),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.CheckConstraint(
                condition=models.Q(("progress__gte", 0), ("progress__lte", 100)),
                name="filerun_progress",
            ),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("report__isnull", False), ("state", "done")),
                    models.Q(models.Q(("state", "done"), _negated=True), ("report__isnull", True)),
                    _connector="OR",
                ),
                name="filerun_report_when_done",
            ),
        ),
        migrations.AddConstraint(
            model_name="filerun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), _negated=True),
                    models.Q(("message", ""), _negated=True),
                    _connector="OR",
                ),
                name="filerun_failed_says_why",
            ),
        ),
        LockTables(against_writes=("auth_user", "imputation_referencepanel")),
        migrations.RunSQL(MAKE_KEYS, migrations.RunSQL.noop),
    ]
