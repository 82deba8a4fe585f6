"""Which API a service speaks, and how."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="imputationservice",
            name="api_config",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="imputationservice",
            name="api_key",
            field=models.CharField(blank=True, default="", editable=False, max_length=255),
        ),
        migrations.AddField(
            model_name="imputationservice",
            name="api_type",
            field=models.CharField(
                choices=[("michigan", "Michigan API"), ("ga4gh", "GA4GH WES API")],
                default="michigan",
                max_length=20,
            ),
        ),
    ]
