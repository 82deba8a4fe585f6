"""Which month the jobs of a profile are counted in; a legacy process leaves it empty."""

from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables


class Migration(migrations.Migration):
    dependencies = [("imputation", "0015_service_standing")]

    operations = [
        LockTables(against_all=("imputation_userprofile",)),
        migrations.AddField(
            model_name="userprofile",
            name="jobs_counted_in",
            field=models.DateField(blank=True, editable=False, null=True),
        ),
    ]
