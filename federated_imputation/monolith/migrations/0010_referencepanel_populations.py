"""Which populations a submission may name for a panel."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0009_encrypt_legacy_secrets")]

    operations = [
        migrations.AddField(
            model_name="referencepanel",
            name="populations",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
