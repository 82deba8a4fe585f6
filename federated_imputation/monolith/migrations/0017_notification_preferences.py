"""How far each backfill is, and the users' notification preferences.

`email_enabled` and `imputation_userprofile.email_notifications` are one switch, whoever writes
which of them: triggers copy it over, and stop where both are equal. What was there before is for
`manage.py backfill run`, so that this migration takes no longer on a large database.
"""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from federated_imputation.monolith.table_locks import LockTables

_TIME_OF_DAY = "^([01][0-9]|2[0-3]):[0-5][0-9]$"

MAKE_COPIES = """
ALTER TABLE imputation_notificationpreference
    ADD CONSTRAINT notificationpreference_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

-- The users among these whose copy is not equal.
CREATE FUNCTION imputation_notificationpreference_unequal(users integer[])
RETURNS TABLE (key text, source text, difference text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT
        profile.user_id::text,
        'profile:' || profile.id,
        CASE WHEN preference.id IS NULL THEN 'missing' ELSE 'unequal' END
    FROM imputation_userprofile AS profile
    LEFT JOIN imputation_notificationpreference AS preference USING (user_id)
    WHERE profile.user_id = ANY(users)
        AND preference.email_enabled IS DISTINCT FROM profile.email_notifications
$$;

-- Makes the copies of these users equal.
CREATE FUNCTION imputation_notificationpreference_sync(users integer[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO imputation_notificationpreference AS preference (user_id, email_enabled)
    SELECT user_id, email_notifications FROM imputation_userprofile
    WHERE user_id = ANY(users) ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE
    SET email_enabled = EXCLUDED.email_enabled, updated_at = now()
    WHERE preference.email_enabled <> EXCLUDED.email_enabled
$$;

CREATE FUNCTION imputation_notificationpreference_of_profile() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM imputation_notificationpreference_sync(ARRAY[NEW.user_id]);
    RETURN NULL;
END $$;

CREATE FUNCTION imputation_notificationpreference_to_profile() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE imputation_userprofile SET email_notifications = NEW.email_enabled
    WHERE user_id = NEW.user_id AND email_notifications <> NEW.email_enabled;
    RETURN NULL;
END $$;

-- Else any role could fire them from a table of its own, with the owner's rights.
REVOKE EXECUTE ON FUNCTION imputation_notificationpreference_of_profile,
    imputation_notificationpreference_to_profile FROM PUBLIC;

CREATE TRIGGER imputation_notificationpreference_new AFTER INSERT ON imputation_userprofile
FOR EACH ROW EXECUTE FUNCTION imputation_notificationpreference_of_profile();
CREATE TRIGGER imputation_notificationpreference_set AFTER UPDATE ON imputation_userprofile
FOR EACH ROW WHEN (
    (NEW.user_id, NEW.email_notifications)
    IS DISTINCT FROM (OLD.user_id, OLD.email_notifications)
) EXECUTE FUNCTION imputation_notificationpreference_of_profile();
CREATE TRIGGER imputation_notificationpreference_back
AFTER INSERT OR UPDATE OF email_enabled ON imputation_notificationpreference
FOR EACH ROW EXECUTE FUNCTION imputation_notificationpreference_to_profile();
"""

DROP_COPIES = """
DROP TRIGGER imputation_notificationpreference_back ON imputation_notificationpreference;
DROP TRIGGER imputation_notificationpreference_set ON imputation_userprofile;
DROP TRIGGER imputation_notificationpreference_new ON imputation_userprofile;
DROP FUNCTION imputation_notificationpreference_to_profile,
    imputation_notificationpreference_of_profile, imputation_notificationpreference_sync,
    imputation_notificationpreference_unequal;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0016_profile_jobs_counted_in")]

    operations = [
        migrations.CreateModel(
            name="BackfillProgress",
            fields=[
                ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("passes", models.PositiveIntegerField(db_default=0, default=0)),
                ("cursor", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("looked", models.BigIntegerField(db_default=0, default=0)),
                ("written", models.BigIntegerField(db_default=0, default=0)),
                ("skipped", models.BigIntegerField(db_default=0, default=0)),
                ("written_in_all", models.BigIntegerField(db_default=0, default=0)),
                ("started_at", models.DateTimeField(db_default=Now())),
                ("updated_at", models.DateTimeField(db_default=Now())),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="NotificationPreference",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("user_id", models.IntegerField(unique=True)),
                ("email_enabled", models.BooleanField(db_default=True, default=True)),
                ("web_enabled", models.BooleanField(db_default=True, default=True)),
                ("sms_enabled", models.BooleanField(db_default=False, default=False)),
                ("job_status_updates", models.BooleanField(db_default=True, default=True)),
                ("system_alerts", models.BooleanField(db_default=True, default=True)),
                ("security_alerts", models.BooleanField(db_default=True, default=True)),
                ("maintenance_notices", models.BooleanField(db_default=True, default=True)),
                (
                    "digest_frequency",
                    models.CharField(
                        choices=[
                            ("immediate", "At once"),
                            ("hourly", "Each hour"),
                            ("daily", "Each day"),
                            ("weekly", "Each week"),
                        ],
                        db_default="immediate",
                        default="immediate",
                        max_length=20,
                    ),
                ),
                (
                    "quiet_hours_start",
                    models.CharField(blank=True, db_default="", default="", max_length=5),
                ),
                (
                    "quiet_hours_end",
                    models.CharField(blank=True, db_default="", default="", max_length=5),
                ),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("updated_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(
                            digest_frequency__in=["immediate", "hourly", "daily", "weekly"]
                        ),
                        name="notificationpreference_digest",
                    ),
                    models.CheckConstraint(
                        condition=Q(quiet_hours_start="", quiet_hours_end="")
                        | Q(
                            quiet_hours_start__regex=_TIME_OF_DAY,
                            quiet_hours_end__regex=_TIME_OF_DAY,
                        ),
                        name="notificationpreference_quiet_hours",
                    ),
                ],
            },
        ),
        LockTables(against_writes=("auth_user", "imputation_userprofile")),
        migrations.RunSQL(MAKE_COPIES, DROP_COPIES),
    ]
