"""Signing keys, logins by token, revocations and API tokens.

While a user is deactivated, no token fits (`apps.shared.identity.tokens.user_digest`). A trigger
also ends them for good, so that none comes back to life when the user is let in again; it covers
whoever deactivates, the admin and SQL by hand too.

The foreign keys act by themselves: a legacy process on the same database that deletes an account
knows nothing of these rows, and must not be held up by them.
"""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_apitoken
    ADD CONSTRAINT apitoken_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE imputation_tokenfamily
    ADD CONSTRAINT tokenfamily_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""

MAKE_TRIGGER = """
CREATE FUNCTION imputation_end_tokens() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE imputation_tokenfamily SET revoked_at = now(), revoked_because = 'deactivated'
    WHERE user_id = NEW.id AND revoked_at IS NULL;
    UPDATE imputation_apitoken SET revoked_at = now()
    WHERE user_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
-- Else any role could fire it from a table of its own, with the owner's rights.
REVOKE EXECUTE ON FUNCTION imputation_end_tokens FROM PUBLIC;

CREATE TRIGGER imputation_end_tokens AFTER UPDATE OF is_active ON auth_user
FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION imputation_end_tokens();
"""

DROP_TRIGGER = """
DROP TRIGGER imputation_end_tokens ON auth_user;
DROP FUNCTION imputation_end_tokens;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("imputation", "0011_job_work"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RevokedToken",
            fields=[
                ("jti", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("prefix", models.CharField(max_length=16)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("scopes", models.JSONField(default=list)),
                ("user_digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(editable=False)),
                ("expires_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(editable=False, null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kid", models.CharField(max_length=43, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("next", "Next"),
                            ("current", "Current"),
                            ("previous", "Previous"),
                        ],
                        max_length=10,
                    ),
                ),
                ("encrypted", models.TextField(editable=False)),
                ("public_jwk", models.JSONField(editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("activated_at", models.DateTimeField(editable=False, null=True)),
                ("retired_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["next", "current"])),
                        fields=("state",),
                        name="signingkey_one_next_one_current",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TokenFamily",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("current_jti", models.CharField(max_length=32)),
                (
                    "session_key",
                    models.CharField(blank=True, default="", editable=False, max_length=40),
                ),
                ("created_at", models.DateTimeField(editable=False)),
                ("refreshed_at", models.DateTimeField(editable=False)),
                ("expires_at", models.DateTimeField(db_index=True, editable=False)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
                (
                    "revoked_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("logout", "Logged out"),
                            ("replaced", "Logged in again in the same session"),
                            ("reused", "A refresh token was used twice"),
                            ("revoked", "A refresh token was handed in"),
                            ("password", "The password was changed"),
                            ("deactivated", "The user was deactivated"),
                        ],
                        default="",
                        max_length=20,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="token_families",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("revoked_at__isnull", True), ("revoked_because", "")),
                            models.Q(
                                ("revoked_at__isnull", False),
                                models.Q(("revoked_because", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="tokenfamily_revoked_for_a_reason",
                    )
                ],
            },
        ),
        LockTables(against_writes=("auth_user",)),
        migrations.RunSQL(MAKE_KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(MAKE_TRIGGER, DROP_TRIGGER),
    ]
