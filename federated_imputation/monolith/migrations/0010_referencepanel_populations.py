"""Which populations a submission may name for a panel."""

from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables


class Migration(migrations.Migration):
    dependencies = [("imputation", "0009_encrypt_legacy_secrets")]

    operations = [
        LockTables(against_all=("imputation_referencepanel",)),
        migrations.AddField(
            model_name="referencepanel",
            name="populations",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
