"""The foreign keys of secrets, tokens and work act by themselves on every database.

0008, 0011 and 0012 make them so since a legacy process could not delete an account, a service or a
job that one of these rows named. A database that had those migrations before gets them here; on any
other these are the keys that it has.
"""

from django.db import migrations

from federated_imputation.monolith.table_locks import LockTables

# Table, column, name of the key, and the table whose `id` it names.
KEYS = (
    ("imputation_servicecredential", "user_id", "servicecredential_user", "auth_user"),
    (
        "imputation_servicecredential",
        "service_id",
        "servicecredential_service",
        "imputation_imputationservice",
    ),
    ("imputation_jobwork", "job_id", "jobwork_job", "imputation_imputationjob"),
    ("imputation_apitoken", "user_id", "apitoken_user", "auth_user"),
    ("imputation_tokenfamily", "user_id", "tokenfamily_user", "auth_user"),
)

REPLACE_KEY = """
DO $$
DECLARE old name;
BEGIN
    SELECT conname INTO old FROM pg_constraint
    WHERE contype = 'f' AND conrelid = '{table}'::regclass AND confdeltype <> 'c'
        AND conkey = ARRAY[(
            SELECT attnum FROM pg_attribute
            WHERE attrelid = '{table}'::regclass AND attname = '{column}'
        )];
    IF FOUND THEN
        EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', old);
        ALTER TABLE {table} ADD CONSTRAINT {key} FOREIGN KEY ({column}) REFERENCES {named} (id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0026_stored_content_index")]

    operations = [
        # The end of a foreign key needs the table that it names for itself.
        LockTables(
            against_all=tuple(
                sorted({each for table, _, _, named in KEYS for each in (table, named)})
            )
        ),
        *(
            migrations.RunSQL(
                REPLACE_KEY.format(table=table, column=column, key=key, named=named),
                migrations.RunSQL.noop,
            )
            for table, column, key, named in KEYS
        ),
    ]
