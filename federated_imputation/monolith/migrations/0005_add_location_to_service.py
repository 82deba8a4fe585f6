"""Where a service stands."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0004_imputationjob_user_token")]

    operations = [
        migrations.AddField(
            model_name="imputationservice",
            name="location",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
    ]
