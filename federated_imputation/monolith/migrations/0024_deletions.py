"""Deletions that reach over several domains, each a row until everything is gone."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imputation", "0023_service_health"),
    ]

    operations = [
        migrations.CreateModel(
            name="Deletion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("dispatched_until", models.DateTimeField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("fence", models.BigIntegerField(default=0)),
                ("user_id", models.IntegerField(blank=True, null=True, unique=True)),
                ("service_id", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("panel_id", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("job_id", models.UUIDField(blank=True, null=True, unique=True)),
                ("asked_by", models.IntegerField(blank=True, null=True)),
                ("step", models.CharField(blank=True, db_default="", max_length=40)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "next_try_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("job_id__isnull", True),
                                ("panel_id__isnull", True),
                                ("service_id__isnull", True),
                                ("user_id__isnull", False),
                            ),
                            models.Q(
                                ("job_id__isnull", True),
                                ("panel_id__isnull", True),
                                ("service_id__isnull", False),
                                ("user_id__isnull", True),
                            ),
                            models.Q(
                                ("job_id__isnull", True),
                                ("panel_id__isnull", False),
                                ("service_id__isnull", True),
                                ("user_id__isnull", True),
                            ),
                            models.Q(
                                ("job_id__isnull", False),
                                ("panel_id__isnull", True),
                                ("service_id__isnull", True),
                                ("user_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="deletion_of_one_subject",
                    )
                ],
            },
        ),
    ]
