"""A third API that a service may speak."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0002_add_api_type_config")]

    operations = [
        migrations.AlterField(
            model_name="imputationservice",
            name="api_type",
            field=models.CharField(
                choices=[
                    ("michigan", "Michigan API"),
                    ("ga4gh", "GA4GH WES API"),
                    ("dnastack", "DNAstack API"),
                ],
                default="michigan",
                max_length=20,
            ),
        ),
    ]
