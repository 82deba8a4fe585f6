"""Answers to requests that their clients named by a key, kept for a day."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0020_panel_synchronisation")]

    operations = [
        migrations.CreateModel(
            name="StoredAnswer",
            fields=[
                (
                    "key",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("digest", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("encrypted", models.TextField(db_default="", default="", editable=False)),
                ("created_at", models.DateTimeField(db_index=True, editable=False)),
            ],
        ),
    ]
