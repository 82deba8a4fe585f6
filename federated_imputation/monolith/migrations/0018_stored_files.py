"""One row for each file that the platform keeps or knows of, beside the columns that name it now.

`imputation_storedfile_told` is the one place that says what a row must be: the input of a job, a
result file, an element of `imputationjob.result_files` that no result file stands for, a genotype
file. Triggers make the rows equal to that in the transaction that writes those columns, whoever
writes; `manage.py backfill run` does the same for what was there before; `backfill check` compares.

A legacy column may hold anything, and its writer knows nothing of this table, so nothing here may
fail for the content: a size below 0 is none, a checksum is MD5 or SHA-256 by its form and else
none, a name or path that is too long keeps its end or is none, and of JSON only what looks like a
file counts.

The foreign keys act by themselves.
"""

from django.contrib.postgres.functions import RandomUUID
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from federated_imputation.monolith.table_locks import LockTables

MAKE_KEYS = """
ALTER TABLE imputation_storedfile
    ADD CONSTRAINT storedfile_user FOREIGN KEY (user_id) REFERENCES auth_user (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT storedfile_job FOREIGN KEY (job_id) REFERENCES imputation_imputationjob (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT storedfile_result FOREIGN KEY (result_id) REFERENCES imputation_resultfile (id)
    ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT storedfile_genotype FOREIGN KEY (genotype_id)
    REFERENCES imputation_genotypefile (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
"""

DROP_KEYS = """
ALTER TABLE imputation_storedfile
    DROP CONSTRAINT storedfile_user, DROP CONSTRAINT storedfile_job,
    DROP CONSTRAINT storedfile_result, DROP CONSTRAINT storedfile_genotype;
"""

READ_JSON = """
-- The first of these keys whose value is a text, and not an empty one.
CREATE FUNCTION imputation_storedfile_text(fields jsonb, VARIADIC keys text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT fields ->> key FROM unnest(keys) WITH ORDINALITY AS listed(key, place)
    WHERE jsonb_typeof(fields -> key) = 'string' AND fields ->> key <> ''
    ORDER BY place LIMIT 1
$$;

-- The first of these keys whose value is a whole number that a bigint holds, and not below 0.
CREATE FUNCTION imputation_storedfile_number(fields jsonb, VARIADIC keys text[]) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN number BETWEEN 0 AND 9223372036854775807 AND number = trunc(number)
        THEN number::bigint END
    FROM (
        SELECT
            place,
            CASE jsonb_typeof(fields -> key) WHEN 'number' THEN (fields -> key)::numeric END
        FROM unnest(keys) WITH ORDINALITY AS listed(key, place)
    ) AS found(place, number)
    WHERE number IS NOT NULL ORDER BY place LIMIT 1
$$;

-- The files in a job's `result_files`: a list (or `{"files": […]}`, or one element alone) of
-- objects that name, or texts that are, a file, a path or an address.
CREATE FUNCTION imputation_storedfile_listed(result_files jsonb)
RETURNS TABLE (
    place bigint, result_id bigint, detail text, name text, size bigint, checksum text, path text,
    url text
)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT * FROM (
        SELECT
            element.place,
            imputation_storedfile_number(fields, 'id'),
            left(coalesce(imputation_storedfile_text(fields, 'file_type', 'type'), ''), 20),
            right(coalesce(
                imputation_storedfile_text(fields, 'filename', 'name', 'file_name'),
                substring(text FROM '[^/]+$'), ''
            ), 255),
            imputation_storedfile_number(fields, 'file_size', 'size'),
            coalesce(imputation_storedfile_text(fields, 'checksum', 'sha256', 'hash', 'md5'), ''),
            coalesce(
                imputation_storedfile_text(fields, 'file_path', 'path'),
                CASE WHEN text !~* '^https?://' THEN text END, ''
            ),
            coalesce(
                imputation_storedfile_text(fields, 'download_url', 'url'),
                CASE WHEN text ~* '^https?://' THEN text END, ''
            )
        FROM (
            SELECT
                listed.place,
                CASE jsonb_typeof(value) WHEN 'object' THEN value ELSE '{}' END,
                CASE jsonb_typeof(value) WHEN 'string' THEN value #>> '{}' END
            FROM jsonb_array_elements(
                CASE
                    WHEN jsonb_typeof(result_files) = 'array' THEN result_files
                    WHEN jsonb_typeof(result_files -> 'files') = 'array' THEN result_files -> 'files'
                    ELSE jsonb_build_array(result_files)
                END
            ) WITH ORDINALITY AS listed(value, place)
        ) AS element(place, fields, text)
    ) AS file(place, result_id, detail, name, size, checksum, path, url)
    WHERE concat(name, path, url) <> ''
$$;
"""

SAY_WHAT_ROWS_MUST_BE = """
-- The rows of these jobs (their inputs, and what only their lists name), result files and genotype
-- files. No column tells the SHA-256 of an input: NULL.
CREATE FUNCTION imputation_storedfile_told(jobs uuid[], results bigint[], genotypes uuid[])
RETURNS TABLE (
    key text, source text, user_id integer, job_id uuid, result_id bigint, genotype_id uuid,
    kind text, detail text, name text, size bigint, sha256 text, md5 text, path text, url text,
    is_available boolean, expires_at timestamptz, created_at timestamptz
)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT
        job.id::text, 'input:' || job.id, job.user_id, job.id, NULL::bigint, NULL::uuid,
        'input', '', regexp_replace(job.input_file, '^(.*/)?([0-9a-f]{32}-)?', ''),
        CASE WHEN job.input_file_size >= 0 THEN job.input_file_size END, NULL, '',
        job.input_file, '', true, NULL::timestamptz, job.created_at
    FROM imputation_imputationjob AS job
    WHERE job.id = ANY(jobs) AND job.input_file <> ''
UNION ALL
    SELECT
        job.id::text, 'listed:' || job.id || ':' || file.place, job.user_id, job.id, NULL, NULL,
        'result', file.detail, file.name, file.size,
        CASE WHEN file.checksum ~* '^[0-9a-f]{64}$' THEN lower(file.checksum) ELSE '' END,
        CASE WHEN file.checksum ~* '^[0-9a-f]{32}$' THEN lower(file.checksum) ELSE '' END,
        CASE WHEN length(file.path) <= 500 THEN file.path ELSE '' END, file.url,
        file.path <> '' OR file.url <> '', NULL, job.created_at
    FROM imputation_imputationjob AS job
    CROSS JOIN LATERAL imputation_storedfile_listed(job.result_files) AS file
    WHERE job.id = ANY(jobs)
        AND NOT EXISTS (
            SELECT FROM imputation_resultfile AS result
            WHERE result.job_id = job.id AND result.id = file.result_id
        )
        AND NOT EXISTS (
            SELECT FROM imputation_resultfile AS result
            WHERE result.job_id = job.id AND result.filename = file.name
        )
        AND NOT EXISTS (
            SELECT FROM imputation_resultfile AS result
            WHERE result.job_id = job.id AND result.download_url = file.url AND file.url <> ''
        )
UNION ALL
    SELECT
        result.id::text, 'result:' || result.id, job.user_id, job.id, result.id, NULL,
        'result', result.file_type, result.filename,
        CASE WHEN result.file_size >= 0 THEN result.file_size END,
        CASE WHEN result.checksum ~* '^[0-9a-f]{64}$' THEN lower(result.checksum) ELSE '' END,
        CASE WHEN result.checksum ~* '^[0-9a-f]{32}$' THEN lower(result.checksum) ELSE '' END,
        result.file_path, result.download_url, result.is_available, result.expires_at,
        result.created_at
    FROM imputation_resultfile AS result
    JOIN imputation_imputationjob AS job ON job.id = result.job_id
    WHERE result.id = ANY(results)
UNION ALL
    SELECT
        file.id::text, 'genotype:' || file.id, file.user_id, NULL, NULL, file.id,
        'genotype', file.format, file.name, file.size, file.sha256, '',
        file.path, '', true, NULL, file.created_at
    FROM imputation_genotypefile AS file
    WHERE file.id = ANY(genotypes)
$$;

-- The rows among these that are not what they must be.
CREATE FUNCTION imputation_storedfile_unequal(jobs uuid[], results bigint[], genotypes uuid[])
RETURNS TABLE (key text, source text, difference text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT told.key, told.source, CASE WHEN stored.id IS NULL THEN 'missing' ELSE 'unequal' END
    FROM imputation_storedfile_told(jobs, results, genotypes) AS told
    LEFT JOIN imputation_storedfile AS stored ON stored.source = told.source
    WHERE stored.id IS NULL
        OR (
            stored.user_id, stored.job_id, stored.result_id, stored.genotype_id, stored.kind,
            stored.detail, stored.name, stored.size, stored.md5, stored.path, stored.url,
            stored.is_available, stored.expires_at, stored.created_at
        ) IS DISTINCT FROM (
            told.user_id, told.job_id, told.result_id, told.genotype_id, told.kind,
            told.detail, told.name, told.size, told.md5, told.path, told.url,
            told.is_available, told.expires_at, told.created_at
        )
        OR stored.sha256 <> told.sha256
UNION ALL
    SELECT stored.job_id::text, stored.source, 'extra'
    FROM imputation_storedfile AS stored
    WHERE stored.job_id = ANY(jobs) AND stored.result_id IS NULL AND NOT EXISTS (
        SELECT FROM imputation_storedfile_told(jobs, '{}', '{}') AS told
        WHERE told.source = stored.source
    )
$$;

-- Makes the rows of these what they must be. The digest of an input stays while its file does.
CREATE FUNCTION imputation_storedfile_sync(jobs uuid[], results bigint[], genotypes uuid[])
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    DELETE FROM imputation_storedfile AS stored
    WHERE stored.job_id = ANY(jobs) AND stored.result_id IS NULL AND NOT EXISTS (
        SELECT FROM imputation_storedfile_told(jobs, '{}', '{}') AS told
        WHERE told.source = stored.source
    );
    INSERT INTO imputation_storedfile AS stored (
        source, user_id, job_id, result_id, genotype_id, kind, detail, name, size, sha256, md5,
        path, url, is_available, expires_at, created_at
    )
    SELECT
        source, user_id, job_id, result_id, genotype_id, kind, detail, name, size,
        coalesce(sha256, ''), md5, path, url, is_available, expires_at, created_at
    FROM imputation_storedfile_told(jobs, results, genotypes) ORDER BY source
    ON CONFLICT (source) DO UPDATE SET
        user_id = EXCLUDED.user_id, job_id = EXCLUDED.job_id, result_id = EXCLUDED.result_id,
        genotype_id = EXCLUDED.genotype_id, kind = EXCLUDED.kind, detail = EXCLUDED.detail,
        name = EXCLUDED.name, size = EXCLUDED.size, md5 = EXCLUDED.md5, path = EXCLUDED.path,
        url = EXCLUDED.url, is_available = EXCLUDED.is_available,
        expires_at = EXCLUDED.expires_at, created_at = EXCLUDED.created_at, updated_at = now(),
        sha256 = CASE
            WHEN stored.kind <> 'input' THEN EXCLUDED.sha256
            WHEN (stored.path, stored.size) IS NOT DISTINCT FROM (EXCLUDED.path, EXCLUDED.size)
            THEN stored.sha256
            ELSE ''
        END
    WHERE (
        stored.user_id, stored.job_id, stored.result_id, stored.genotype_id, stored.kind,
        stored.detail, stored.name, stored.size, stored.md5, stored.path, stored.url,
        stored.is_available, stored.expires_at, stored.created_at
    ) IS DISTINCT FROM (
        EXCLUDED.user_id, EXCLUDED.job_id, EXCLUDED.result_id, EXCLUDED.genotype_id,
        EXCLUDED.kind, EXCLUDED.detail, EXCLUDED.name, EXCLUDED.size, EXCLUDED.md5,
        EXCLUDED.path, EXCLUDED.url, EXCLUDED.is_available, EXCLUDED.expires_at,
        EXCLUDED.created_at
    ) OR (stored.kind <> 'input' AND stored.sha256 <> EXCLUDED.sha256)
$$;
"""

COPY_AS_THEY_ARE_WRITTEN = """
CREATE FUNCTION imputation_storedfile_of_job() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Results may be inserted before their job, and belong to whom it belongs to.
    PERFORM imputation_storedfile_sync(
        ARRAY[NEW.id],
        CASE WHEN TG_OP = 'INSERT' OR NEW.user_id <> OLD.user_id
            THEN ARRAY(SELECT id FROM imputation_resultfile WHERE job_id = NEW.id)
            ELSE '{}' END,
        '{}'
    );
    RETURN NULL;
END $$;

-- By statement: what a list of a job names changes with its result files, and there may be many.
CREATE FUNCTION imputation_storedfile_of_results() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    written bigint[] := '{}';
    jobs uuid[] := '{}';
BEGIN
    IF TG_OP <> 'DELETE' THEN
        SELECT coalesce(array_agg(id), '{}'), coalesce(array_agg(DISTINCT job_id), '{}')
        INTO written, jobs FROM new_rows;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        jobs := jobs || ARRAY(SELECT DISTINCT job_id FROM old_rows);
    END IF;
    -- One after the other, or two that change the same job would miss each other.
    PERFORM imputation_storedfile_sync(
        ARRAY(
            SELECT id FROM imputation_imputationjob
            WHERE id = ANY(jobs) AND result_files <> '[]' ORDER BY id FOR NO KEY UPDATE
        ),
        written, '{}'
    );
    RETURN NULL;
END $$;

CREATE FUNCTION imputation_storedfile_of_genotypes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM imputation_storedfile_sync('{}', '{}', ARRAY[NEW.id]);
    RETURN NULL;
END $$;

-- Else any role could fire them from a table of its own, with the owner's rights.
REVOKE EXECUTE ON FUNCTION imputation_storedfile_of_job, imputation_storedfile_of_results,
    imputation_storedfile_of_genotypes FROM PUBLIC;

CREATE TRIGGER imputation_storedfile_new AFTER INSERT ON imputation_imputationjob
FOR EACH ROW EXECUTE FUNCTION imputation_storedfile_of_job();
CREATE TRIGGER imputation_storedfile_set AFTER UPDATE ON imputation_imputationjob
FOR EACH ROW WHEN (
    (NEW.user_id, NEW.input_file, NEW.input_file_size, NEW.result_files, NEW.created_at)
    IS DISTINCT FROM
    (OLD.user_id, OLD.input_file, OLD.input_file_size, OLD.result_files, OLD.created_at)
) EXECUTE FUNCTION imputation_storedfile_of_job();

CREATE TRIGGER imputation_storedfile_new AFTER INSERT ON imputation_resultfile
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION imputation_storedfile_of_results();
CREATE TRIGGER imputation_storedfile_set AFTER UPDATE ON imputation_resultfile
REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION imputation_storedfile_of_results();
CREATE TRIGGER imputation_storedfile_gone AFTER DELETE ON imputation_resultfile
REFERENCING OLD TABLE AS old_rows
FOR EACH STATEMENT EXECUTE FUNCTION imputation_storedfile_of_results();

CREATE TRIGGER imputation_storedfile_set AFTER INSERT OR UPDATE ON imputation_genotypefile
FOR EACH ROW EXECUTE FUNCTION imputation_storedfile_of_genotypes();
"""

DROP_COPIES = """
DROP TRIGGER imputation_storedfile_set ON imputation_genotypefile;
DROP TRIGGER imputation_storedfile_gone ON imputation_resultfile;
DROP TRIGGER imputation_storedfile_set ON imputation_resultfile;
DROP TRIGGER imputation_storedfile_new ON imputation_resultfile;
DROP TRIGGER imputation_storedfile_set ON imputation_imputationjob;
DROP TRIGGER imputation_storedfile_new ON imputation_imputationjob;
DROP FUNCTION imputation_storedfile_of_genotypes, imputation_storedfile_of_results,
    imputation_storedfile_of_job;
"""

DROP_FUNCTIONS = """
DROP FUNCTION imputation_storedfile_sync, imputation_storedfile_unequal,
    imputation_storedfile_told, imputation_storedfile_listed, imputation_storedfile_number,
    imputation_storedfile_text;
"""


class Migration(migrations.Migration):
    dependencies = [("imputation", "0017_notification_preferences")]

    operations = [
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.CharField(max_length=100, unique=True)),
                (
                    "uuid",
                    models.UUIDField(db_default=RandomUUID(), editable=False, unique=True),
                ),
                ("user_id", models.IntegerField()),
                ("job_id", models.UUIDField(blank=True, null=True)),
                ("result_id", models.BigIntegerField(blank=True, null=True, unique=True)),
                ("genotype_id", models.UUIDField(blank=True, null=True, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("input", "Input of a job"),
                            ("result", "Result of a job"),
                            ("genotype", "Genotype file of a user"),
                        ],
                        max_length=10,
                    ),
                ),
                ("detail", models.CharField(blank=True, db_default="", max_length=20)),
                ("name", models.CharField(blank=True, db_default="", max_length=255)),
                ("size", models.BigIntegerField(blank=True, null=True)),
                ("sha256", models.CharField(blank=True, db_default="", max_length=64)),
                ("md5", models.CharField(blank=True, db_default="", max_length=32)),
                ("path", models.CharField(blank=True, db_default="", max_length=500)),
                ("url", models.TextField(blank=True, db_default="")),
                ("is_available", models.BooleanField(db_default=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("updated_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["user_id", "-created_at", "id"], name="storedfile_of_user"
                    ),
                    models.Index(fields=["job_id"], name="storedfile_of_job"),
                    models.Index(fields=["path"], name="storedfile_path"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(kind__in=["input", "result"], job_id__isnull=False)
                        & Q(genotype_id__isnull=True)
                        | Q(kind="genotype", job_id__isnull=True, result_id__isnull=True)
                        & Q(genotype_id__isnull=False),
                        name="storedfile_kind_fits_owner",
                    ),
                    models.CheckConstraint(condition=Q(size__gte=0), name="storedfile_size"),
                    models.CheckConstraint(
                        condition=Q(sha256="") | Q(sha256__regex="^[0-9a-f]{64}$"),
                        name="storedfile_sha256",
                    ),
                    models.CheckConstraint(
                        condition=Q(md5="") | Q(md5__regex="^[0-9a-f]{32}$"), name="storedfile_md5"
                    ),
                ],
            },
        ),
        LockTables(
            against_writes=("auth_user", "imputation_imputationjob", "imputation_resultfile")
        ),
        migrations.RunSQL(MAKE_KEYS, DROP_KEYS),
        migrations.RunSQL([READ_JSON, SAY_WHAT_ROWS_MUST_BE], DROP_FUNCTIONS),
        migrations.RunSQL(COPY_AS_THEY_ARE_WRITTEN, DROP_COPIES),
    ]
