"""The token of one job, in plaintext; superseded by 0008."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0003_add_dnastack_api_type")]

    operations = [
        migrations.AddField(
            model_name="imputationjob",
            name="user_token",
            field=models.CharField(blank=True, default="", editable=False, max_length=500),
        ),
    ]
