"""The audit log becomes a chain, sealed by the database as transactions commit.

Every writer is covered: our code, the admin, a legacy process on the same database, SQL by hand.

A row is sealed in the second round of the deferred triggers of its transaction. In the first,
`imputation_audit_queue` runs among the foreign keys' checks, which may wait for rows that others
have locked; it only puts the row in a queue. The queue's own deferred trigger runs when all of
them are done, so nothing waits for another transaction while it holds the chain's lock, and the
lock cannot be part of a deadlock. It is held until the commit is over: the next transaction sees
the seal that it builds on.

The digest is SHA-256 over the digest before and the netstrings (`length:text,`, or `-,` for NULL)
of the position and the row, so that no two rows share a text.
"""

from django.db import migrations, models

from federated_imputation.monolith.table_locks import LockTables

MAKE_CHAIN = """
CREATE UNLOGGED TABLE imputation_auditpending (audit_id bigint PRIMARY KEY, actor_id integer);
COMMENT ON TABLE imputation_auditpending IS 'Empty between transactions: see imputation_auditseal';

CREATE FUNCTION imputation_audit_digest(previous text, VARIADIC fields text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(sha256(convert_to(previous || string_agg(
        coalesce(octet_length(convert_to(field, 'UTF8'))::text || ':' || field, '-') || ',',
        '' ORDER BY place
    ), 'UTF8')), 'hex')
    FROM unnest(fields) WITH ORDINALITY AS listed(field, place)
$$;

CREATE FUNCTION imputation_audit_queue() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO imputation_auditpending (audit_id, actor_id) VALUES (NEW.id, NEW.user_id);
    RETURN NULL;
END $$;

CREATE FUNCTION imputation_audit_seal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    log imputation_auditlog;
    seal imputation_auditseal;
BEGIN
    PERFORM pg_advisory_xact_lock('imputation_auditseal'::regclass::oid::bigint);
    SELECT position + 1, NULL, NULL, digest INTO seal
    FROM imputation_auditseal ORDER BY position DESC LIMIT 1;
    IF NOT FOUND THEN
        seal.position := 1;
        SELECT lpad(coalesce(max(id), 0)::text, 64, '0') INTO seal.previous
        FROM imputation_auditlog WHERE id BETWEEN 0 AND NEW.audit_id - 1;
    END IF;
    SELECT * INTO STRICT log FROM imputation_auditlog WHERE id = NEW.audit_id;
    INSERT INTO imputation_auditseal (position, audit_id, actor_id, previous, digest)
    VALUES (
        seal.position, log.id, NEW.actor_id, seal.previous,
        imputation_audit_digest(
            seal.previous, seal.position::text, log.id::text, NEW.actor_id::text, log.action,
            log.resource_type, log.resource_id, log.details::text, log.ip_address::text,
            log.user_agent, extract(epoch FROM log.timestamp)::text
        )
    );
    DELETE FROM imputation_auditpending WHERE audit_id = NEW.audit_id;
    RETURN NULL;
END $$;

-- Else any role could fire them from a table of its own, with the owner's rights.
REVOKE EXECUTE ON FUNCTION imputation_audit_queue, imputation_audit_seal FROM PUBLIC;

CREATE FUNCTION imputation_audit_refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is appended to and never changed (% of %).', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION imputation_audit_refuse_half() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM imputation_auditseal) OR EXISTS (
        SELECT FROM imputation_auditlog
    ) THEN
        RAISE EXCEPTION 'The audit log and its seals can only be emptied in one statement.'
        USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER imputation_audit_queue AFTER INSERT ON imputation_auditlog
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imputation_audit_queue();
CREATE CONSTRAINT TRIGGER imputation_audit_seal AFTER INSERT ON imputation_auditpending
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION imputation_audit_seal();

-- A deleted account is the one thing that a row may forget.
CREATE TRIGGER imputation_audit_no_update BEFORE UPDATE ON imputation_auditlog
FOR EACH ROW WHEN (
    to_jsonb(NEW) - 'user_id' IS DISTINCT FROM to_jsonb(OLD) - 'user_id'
    OR NEW.user_id <> coalesce(OLD.user_id, -1)
) EXECUTE FUNCTION imputation_audit_refuse();
CREATE TRIGGER imputation_audit_no_delete BEFORE DELETE ON imputation_auditlog
FOR EACH ROW EXECUTE FUNCTION imputation_audit_refuse();
CREATE TRIGGER imputation_audit_no_update BEFORE UPDATE OR DELETE ON imputation_auditseal
FOR EACH ROW EXECUTE FUNCTION imputation_audit_refuse();
-- Only the triggers above insert here.
CREATE TRIGGER imputation_audit_no_insert BEFORE INSERT ON imputation_auditseal
FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION imputation_audit_refuse();
CREATE TRIGGER imputation_audit_no_insert BEFORE INSERT ON imputation_auditpending
FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION imputation_audit_refuse();
-- A database may be emptied as a whole, as test databases are.
CREATE TRIGGER imputation_audit_no_truncate AFTER TRUNCATE ON imputation_auditlog
FOR EACH STATEMENT EXECUTE FUNCTION imputation_audit_refuse_half();
CREATE TRIGGER imputation_audit_no_truncate AFTER TRUNCATE ON imputation_auditseal
FOR EACH STATEMENT EXECUTE FUNCTION imputation_audit_refuse_half();
"""

DROP_CHAIN = """
DROP TRIGGER imputation_audit_no_truncate ON imputation_auditseal;
DROP TRIGGER imputation_audit_no_truncate ON imputation_auditlog;
DROP TRIGGER imputation_audit_no_insert ON imputation_auditseal;
DROP TRIGGER imputation_audit_no_update ON imputation_auditseal;
DROP TRIGGER imputation_audit_no_delete ON imputation_auditlog;
DROP TRIGGER imputation_audit_no_update ON imputation_auditlog;
DROP TRIGGER imputation_audit_queue ON imputation_auditlog;
DROP TABLE imputation_auditpending;
DROP FUNCTION imputation_audit_refuse_half, imputation_audit_refuse, imputation_audit_seal,
    imputation_audit_queue, imputation_audit_digest;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0012_tokens")]

    operations = [
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("position", models.BigIntegerField(primary_key=True, serialize=False)),
                ("audit_id", models.BigIntegerField(unique=True)),
                ("actor_id", models.IntegerField(null=True)),
                ("previous", models.CharField(max_length=64)),
                ("digest", models.CharField(max_length=64)),
            ],
        ),
        LockTables(
            against_writes=("imputation_auditlog",),
            against_all=("imputation_serviceusergroupmembership",),
        ),
        migrations.AddField(
            model_name="serviceusergroupmembership",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(MAKE_CHAIN, DROP_CHAIN),
    ]
