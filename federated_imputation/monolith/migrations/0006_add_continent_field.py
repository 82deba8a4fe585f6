"""On which continent a service stands."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imputation", "0005_add_location_to_service")]

    operations = [
        migrations.AddField(
            model_name="imputationservice",
            name="continent",
            field=models.CharField(blank=True, default="", max_length=50),
        ),
    ]
