-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration. It runs with the sink's schema as search_path, in one
-- transaction.

-- Rows do not move from one way to another: it is chosen when the tables are made.
CREATE TABLE layout (
    partition text PRIMARY KEY CHECK (partition IN ('month', 'day', 'coin-hash'))
);
COMMENT ON TABLE layout IS 'How tables of rows are cut. One row.';
COMMENT ON COLUMN layout.partition IS
    'by month or day of the slot; coin-hash: tables of coins by coin, all others by month';
INSERT INTO layout
SELECT CASE WHEN EXISTS (SELECT FROM pg_class
                         WHERE relnamespace = current_schema()::regnamespace
                           AND relname ~ '_[0-9]{4}_[0-9]{2}_[0-9]{2}$')
            THEN 'day' ELSE 'month' END;

CREATE TABLE raw (
    slot        timestamptz NOT NULL,
    job_id      integer     NOT NULL,
    page        integer     NOT NULL,
    fetched_at  timestamptz NOT NULL,
    http_status integer     NOT NULL,
    "offset"    bigint      NOT NULL,
    body        jsonb,
    body_text   text,
    PRIMARY KEY (slot, job_id, page)
) PARTITION BY RANGE (slot);
CREATE TABLE raw_default PARTITION OF raw DEFAULT;
COMMENT ON TABLE raw IS
    'With ?raw=on: the answers as they came, of each poll that has its rows in the table of its endpoint.';
COMMENT ON COLUMN raw.slot IS 'when the poll was scheduled';
COMMENT ON COLUMN raw.job_id IS 'of the table job';
COMMENT ON COLUMN raw.page IS 'of the poll, from 1';
COMMENT ON COLUMN raw.fetched_at IS 'when the answer came';
COMMENT ON COLUMN raw.http_status IS 'of the answer';
COMMENT ON COLUMN raw."offset" IS 'of its record on the tape of the poll''s stream';
COMMENT ON COLUMN raw.body IS 'the answer; NULL: jsonb cannot hold it';
COMMENT ON COLUMN raw.body_text IS 'the answer where jsonb cannot hold it, as it came';
COMMENT ON TABLE raw_default IS 'Rows whose partition could not be made.';

-- A body that is no jsonb (U+0000, a number beyond numeric, too large) must not cost the poll.
CREATE FUNCTION body_as_jsonb(body text) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    RETURN body::jsonb;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION body_as_jsonb(text) IS 'The text as jsonb; NULL where that cannot hold it.';

-- As it was, but that a default partition need not be there.
CREATE OR REPLACE FUNCTION make_partition(of_table text, at timestamptz, by_day boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    as_month text := of_table || to_char(at AT TIME ZONE 'UTC', '"_"YYYY"_"MM');
    as_day text := as_month || to_char(at AT TIME ZONE 'UTC', '"_"DD');
    part text;
    unit text;
    first_at timestamptz;
    end_at timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(of_table)) THEN
        RAISE EXCEPTION '% is not a table with partitions', of_table;
    END IF;
    IF to_regclass(as_month) IS NOT NULL OR to_regclass(as_day) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(1734568820, hashtext(current_schema() || ' partitions'));
    IF to_regclass(as_month) IS NOT NULL OR to_regclass(as_day) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- a month that has days already goes on so
    by_day := by_day OR EXISTS (SELECT FROM pg_class
                                WHERE relnamespace = current_schema()::regnamespace
                                  AND relkind = 'r' AND starts_with(relname, as_month || '_'));
    part := CASE WHEN by_day THEN as_day ELSE as_month END;
    unit := CASE WHEN by_day THEN 'day' ELSE 'month' END;
    first_at := date_trunc(unit, at, 'UTC');
    end_at := ((first_at AT TIME ZONE 'UTC') + ('1 ' || unit)::interval) AT TIME ZONE 'UTC';
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING COMMENTS)', part, of_table);
    IF to_regclass(of_table || '_default') IS NOT NULL THEN
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE slot >= $1 AND slot < $2 RETURNING *) '
                       'INSERT INTO %I SELECT * FROM moved', of_table || '_default', part)
        USING first_at, end_at;
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   of_table, part, first_at, end_at);
    RETURN true;
END
$$;

-- Make the partitions that rows in the default partition want, and move them there. It runs as its
-- owner, as make_partition does.
CREATE FUNCTION empty_default(of_table text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    by_day boolean := EXISTS (SELECT FROM layout WHERE partition = 'day');
    slots timestamptz[];
    at timestamptz;
    n integer := 0;
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT date_trunc($1, slot, ''UTC'')) FROM %I',
                   of_table || '_default')
    INTO slots USING CASE WHEN by_day THEN 'day' ELSE 'month' END;
    FOREACH at IN ARRAY coalesce(slots, '{}') LOOP
        n := n + make_partition(of_table, at, by_day)::int;
    END LOOP;
    RETURN n;
END
$$;
REVOKE ALL ON FUNCTION empty_default(text) FROM PUBLIC;
COMMENT ON FUNCTION empty_default(text) IS
    'Make the partitions that rows in the default partition want, and move them there.';
