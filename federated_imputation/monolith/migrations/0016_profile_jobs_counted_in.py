"""Which month the jobs of a profile are counted in; a legacy process leaves it empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0015_service_standing")]

    operations = [
        migrations.AddField(
            model_name="userprofile",
            name="jobs_counted_in",
            field=models.DateField(blank=True, editable=False, null=True),
        ),
    ]
