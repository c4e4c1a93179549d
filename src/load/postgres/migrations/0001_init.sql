-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration. It runs with the sink's schema as search_path, in one
-- transaction. What the columns of rows and polls hold is said by comments that the program makes
-- from its own tables of them.

CREATE TABLE schema_version (
    version        integer     PRIMARY KEY,
    oldest_program text        NOT NULL,
    applied_by     text        NOT NULL,
    applied_at     timestamptz NOT NULL
);
COMMENT ON TABLE schema_version IS 'Versions of this schema, the last one holds.';
COMMENT ON COLUMN schema_version.version IS 'counts from 1';
COMMENT ON COLUMN schema_version.oldest_program IS 'the oldest geckotape that may write this version';
COMMENT ON COLUMN schema_version.applied_by IS 'the geckotape that made it';
COMMENT ON COLUMN schema_version.applied_at IS 'when';

CREATE TABLE job (
    job_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text    NOT NULL UNIQUE,
    endpoint     text    NOT NULL,
    vs_currency  text    NOT NULL,
    selection    text    NOT NULL,
    is_simulated boolean NOT NULL
);
COMMENT ON TABLE job IS 'What is polled.';
COMMENT ON COLUMN job.job_id IS 'what the other tables call it';
COMMENT ON COLUMN job.name IS 'what its users call it';
COMMENT ON COLUMN job.endpoint IS 'of CoinGecko''s API';
COMMENT ON COLUMN job.vs_currency IS 'in which prices are; empty where the endpoint has none';
COMMENT ON COLUMN job.selection IS 'of which coins';
COMMENT ON COLUMN job.is_simulated IS 'its rows are made up by `geckotape simulate`';

CREATE TABLE sink_offset (
    stream     text        COLLATE "C" PRIMARY KEY,
    job_id     integer     NOT NULL REFERENCES job,
    "offset"   bigint      NOT NULL,
    hash       bigint      NOT NULL,
    epoch      bigint      NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE sink_offset IS
    'How far each stream of the tape is loaded. The transaction that loads a poll moves it first.';
COMMENT ON COLUMN sink_offset.stream IS 'UUID of the stream';
COMMENT ON COLUMN sink_offset.job_id IS 'of which job it is';
COMMENT ON COLUMN sink_offset."offset" IS 'of the last poll''s end; 0: nothing yet';
COMMENT ON COLUMN sink_offset.hash IS 'of that record';
COMMENT ON COLUMN sink_offset.epoch IS 'raised by each loader that takes the stream over';
COMMENT ON COLUMN sink_offset.updated_at IS 'when it moved last';

CREATE TABLE coin (
    coin_id    integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text        COLLATE "C" NOT NULL UNIQUE,
    symbol     text        NOT NULL,
    name       text        NOT NULL,
    image      text,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL
);
COMMENT ON TABLE coin IS 'Every coin that was seen, by its present name.';
COMMENT ON COLUMN coin.coin_id IS 'what the other tables call it';
COMMENT ON COLUMN coin.id IS 'CoinGecko''s name of the coin; stable';
COMMENT ON COLUMN coin.symbol IS 'ticker symbol; not unique, may be empty';
COMMENT ON COLUMN coin.name IS 'display name';
COMMENT ON COLUMN coin.image IS 'URL of the logo';
COMMENT ON COLUMN coin.first_seen IS 'when it was first in an answer';
COMMENT ON COLUMN coin.last_seen IS 'kept to the hour, and when the coin goes absent';

CREATE TABLE coin_name (
    coin_id integer     NOT NULL REFERENCES coin,
    since   timestamptz NOT NULL,
    symbol  text        NOT NULL,
    name    text        NOT NULL,
    PRIMARY KEY (coin_id, since)
);
COMMENT ON TABLE coin_name IS 'What coins were called, and since when.';
COMMENT ON COLUMN coin_name.coin_id IS 'of the table coin';
COMMENT ON COLUMN coin_name.since IS 'first seen with this name';
COMMENT ON COLUMN coin_name.symbol IS 'ticker symbol then';
COMMENT ON COLUMN coin_name.name IS 'display name then';

-- No references to job and coin: two look-ups for each row would cost a third of all loading.
CREATE TABLE market (
    slot                                     timestamptz NOT NULL,
    job_id                                   integer     NOT NULL,
    coin_id                                  integer     NOT NULL,
    fetched_at                               timestamptz NOT NULL,
    current_price                            numeric,
    market_cap                               numeric,
    market_cap_rank                          bigint,
    fully_diluted_valuation                  numeric,
    total_volume                             numeric,
    high_24h                                 numeric,
    low_24h                                  numeric,
    price_change_24h                         numeric,
    price_change_percentage_24h              numeric,
    market_cap_change_24h                    numeric,
    market_cap_change_percentage_24h         numeric,
    circulating_supply                       numeric,
    total_supply                             numeric,
    max_supply                               numeric,
    ath                                      numeric,
    ath_change_percentage                    numeric,
    ath_date                                 timestamptz,
    atl                                      numeric,
    atl_change_percentage                    numeric,
    atl_date                                 timestamptz,
    roi_times                                numeric,
    roi_currency                             text,
    roi_percentage                           numeric,
    last_updated                             timestamptz,
    market_cap_rank_with_rehypothecated      bigint,
    sparkline_in_7d                          text,
    price_change_percentage_1h_in_currency   numeric,
    price_change_percentage_24h_in_currency  numeric,
    price_change_percentage_7d_in_currency   numeric,
    price_change_percentage_14d_in_currency  numeric,
    price_change_percentage_30d_in_currency  numeric,
    price_change_percentage_200d_in_currency numeric,
    price_change_percentage_1y_in_currency   numeric,
    PRIMARY KEY (slot, job_id, coin_id)
) PARTITION BY RANGE (slot);
COMMENT ON TABLE market IS
    'A row for each coin in each poll, but for rows that equal the coin''s row before within the hour.';

CREATE TABLE listing (
    slot       timestamptz NOT NULL,
    job_id     integer     NOT NULL,
    coin_id    integer     NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (slot, job_id, coin_id)
) PARTITION BY RANGE (slot);
COMMENT ON TABLE listing IS
    'A row for each coin in each answer of /coins/list, but for those that equal the coin''s row before '
    'within the UTC day.';

CREATE TABLE global (
    slot       timestamptz NOT NULL,
    job_id     integer     NOT NULL,
    id         text        COLLATE "C" NOT NULL,
    fetched_at timestamptz NOT NULL,
    figure     text        NOT NULL,
    part       text,
    value      numeric,
    PRIMARY KEY (slot, job_id, id)
) PARTITION BY RANGE (slot);
COMMENT ON TABLE global IS
    'A row for each figure in each answer of /global: a new figure, or a new currency, is a new row.';

CREATE TABLE vs_currency (
    slot       timestamptz NOT NULL,
    job_id     integer     NOT NULL,
    id         text        COLLATE "C" NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (slot, job_id, id)
) PARTITION BY RANGE (slot);
COMMENT ON TABLE vs_currency IS
    'A row for each currency in each answer of /simple/supported_vs_currencies.';

-- Rows whose partition could not be made: they move when it is made.
CREATE TABLE market_default PARTITION OF market DEFAULT;
CREATE TABLE listing_default PARTITION OF listing DEFAULT;
CREATE TABLE global_default PARTITION OF global DEFAULT;
CREATE TABLE vs_currency_default PARTITION OF vs_currency DEFAULT;
COMMENT ON TABLE market_default IS 'Rows whose partition could not be made.';
COMMENT ON TABLE listing_default IS 'Rows whose partition could not be made.';
COMMENT ON TABLE global_default IS 'Rows whose partition could not be made.';
COMMENT ON TABLE vs_currency_default IS 'Rows whose partition could not be made.';

-- The columns of the table they are the last of, in the same order; rows are replaced in place.
CREATE TABLE latest (LIKE market, PRIMARY KEY (job_id, coin_id)) WITH (fillfactor = 60);
CREATE TABLE latest_listing (LIKE listing, PRIMARY KEY (job_id, coin_id)) WITH (fillfactor = 60);
CREATE TABLE latest_global (LIKE global, PRIMARY KEY (job_id, id)) WITH (fillfactor = 60);
CREATE TABLE latest_vs_currency (LIKE vs_currency, PRIMARY KEY (job_id, id)) WITH (fillfactor = 60);
COMMENT ON TABLE latest IS 'The last row of each coin in each job.';
COMMENT ON TABLE latest_listing IS 'The last row of each coin in each job.';
COMMENT ON TABLE latest_global IS
    'The last row of each figure in each job; slot tells whether the last answer still had it.';
COMMENT ON TABLE latest_vs_currency IS
    'The last row of each currency in each job; slot tells whether the last answer still had it.';

CREATE TABLE poll (
    job_id            integer     NOT NULL REFERENCES job,
    slot              timestamptz NOT NULL,
    outcome           text        NOT NULL,
    loaded            text        NOT NULL CHECK (loaded IN ('rows', 'duplicate', 'none')),
    started           timestamptz,
    finished          timestamptz NOT NULL,
    next_due          timestamptz,
    attempts          bigint      NOT NULL,
    http_status       bigint,
    pages             bigint      NOT NULL,
    pages_missing     bigint      NOT NULL,
    rows_in           bigint      NOT NULL,
    rows_new          bigint      NOT NULL,
    rows_unchanged    bigint      NOT NULL,
    rows_absent       bigint      NOT NULL,
    rows_quarantined  bigint      NOT NULL,
    bytes             bigint      NOT NULL,
    credits           bigint      NOT NULL,
    transform_version bigint,
    stream            text        COLLATE "C" NOT NULL,
    first_offset      bigint      NOT NULL,
    last_offset       bigint      NOT NULL,
    drift             text,
    error             text,
    PRIMARY KEY (job_id, slot, stream, last_offset)
);
CREATE UNIQUE INDEX poll_rows ON poll (job_id, slot) WHERE loaded = 'rows';
COMMENT ON TABLE poll IS
    'One row for each poll on each stream. Of the polls of a slot at most one has its rows in the table '
    'of its endpoint.';

CREATE TABLE absence (
    job_id     integer     NOT NULL REFERENCES job,
    coin_id    integer     NOT NULL REFERENCES coin,
    from_slot  timestamptz NOT NULL,
    until_slot timestamptz,
    PRIMARY KEY (job_id, coin_id, from_slot)
);
CREATE UNIQUE INDEX absence_open ON absence (job_id, coin_id) WHERE until_slot IS NULL;
COMMENT ON TABLE absence IS
    'Coins that were in the job''s ok poll before from_slot, and not in that of from_slot.';
COMMENT ON COLUMN absence.job_id IS 'of the table job';
COMMENT ON COLUMN absence.coin_id IS 'of the table coin';
COMMENT ON COLUMN absence.from_slot IS 'the first poll without it';
COMMENT ON COLUMN absence.until_slot IS 'the poll that has it again; NULL: still absent';

CREATE TABLE quarantine (
    stream   text   COLLATE "C" NOT NULL,
    "offset" bigint NOT NULL,
    idx      bigint,
    coin     text   COLLATE "C",
    field    text,
    reason   text   NOT NULL,
    value    text,
    stage    text   NOT NULL
);
CREATE INDEX quarantine_record ON quarantine (stream, "offset");
COMMENT ON TABLE quarantine IS
    'What was refused. It is all still on the tape, at stream and offset.';
COMMENT ON COLUMN quarantine.stream IS 'UUID of the stream';
COMMENT ON COLUMN quarantine."offset" IS 'of the page''s record; stage load: of the poll''s end';
COMMENT ON COLUMN quarantine.idx IS
    'of the row in its page, from 0; stage load: in its poll; NULL: the poll as a whole';
COMMENT ON COLUMN quarantine.coin IS 'CoinGecko''s name of it';
COMMENT ON COLUMN quarantine.field IS 'of the answer; NULL: the row as a whole';
COMMENT ON COLUMN quarantine.reason IS 'why; stage load: in the server''s words';
COMMENT ON COLUMN quarantine.value IS 'as sent, cut to 200 bytes';
COMMENT ON COLUMN quarantine.stage IS 'who refused it: transform, load';

CREATE TABLE quality_flag (
    slot    timestamptz NOT NULL,
    job_id  integer     NOT NULL REFERENCES job,
    coin_id integer     NOT NULL REFERENCES coin,
    rule    text        COLLATE "C" NOT NULL,
    detail  text        NOT NULL,
    PRIMARY KEY (slot, job_id, coin_id, rule)
);
COMMENT ON TABLE quality_flag IS
    'Values that are hardly true, by the rule they break (docs/quality.md). The rows are kept as they '
    'came. What lasts is flagged when it begins, and in the first poll of each hour.';
COMMENT ON COLUMN quality_flag.slot IS 'of the poll';
COMMENT ON COLUMN quality_flag.job_id IS 'of the table job';
COMMENT ON COLUMN quality_flag.coin_id IS 'of the table coin';
COMMENT ON COLUMN quality_flag.rule IS 'its name';
COMMENT ON COLUMN quality_flag.detail IS 'the values, as sent';

CREATE VIEW quality AS
SELECT job.name AS job, coin.id, flag.slot, flag.rule, flag.detail
FROM quality_flag AS flag JOIN job USING (job_id) JOIN coin USING (coin_id);
COMMENT ON VIEW quality IS 'quality_flag with the names of job and coin.';

-- Make the partition for a slot, and move what is in the default partition there. True: it was made
-- now. It runs as its owner, so that whoever loads rows need not own the tables.
CREATE FUNCTION make_partition(of_table text, at timestamptz, by_day boolean) RETURNS boolean
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
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE slot >= $1 AND slot < $2 RETURNING *) '
                   'INSERT INTO %I SELECT * FROM moved', of_table || '_default', part)
    USING first_at, end_at;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   of_table, part, first_at, end_at);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION make_partition(text, timestamptz, boolean) FROM PUBLIC;
COMMENT ON FUNCTION make_partition(text, timestamptz, boolean) IS
    'Make the partition for a slot, and move what is in the default partition there.';

-- From a promised poll that did not happen to the next that did (NULL: none did so far).
CREATE VIEW gap AS
SELECT job_id, job.name AS job, next_due AS from_slot, next_slot AS until_slot
FROM (SELECT job_id, slot, max(next_due) AS next_due,
             lead(slot) OVER (PARTITION BY job_id ORDER BY slot) AS next_slot
      FROM poll
      WHERE outcome <> 'aborted'
      GROUP BY job_id, slot) AS promised
JOIN job USING (job_id)
-- a poll that is due now gets a minute to arrive
WHERE next_due < coalesce(next_slot, now() - interval '1 minute');
COMMENT ON VIEW gap IS
    'From a promised poll that did not happen to the next that did (NULL: none did so far).';

CREATE VIEW coin_market_raw AS
SELECT coin.id, coin.symbol, coin.name, coin.image,
       row.current_price, row.market_cap, row.market_cap_rank, row.total_volume, row.high_24h,
       row.low_24h, row.price_change_24h, row.price_change_percentage_24h, row.last_updated
FROM latest AS row JOIN coin USING (coin_id) JOIN job USING (job_id)
WHERE job.vs_currency = (SELECT vs_currency FROM job WHERE endpoint = 'coins/markets'
                         ORDER BY job_id LIMIT 1)
  AND NOT EXISTS (SELECT 1
                  FROM job AS other JOIN latest AS newer USING (job_id)
                  WHERE other.vs_currency = job.vs_currency AND newer.coin_id = row.coin_id
                    AND (newer.fetched_at, newer.job_id) > (row.fetched_at, row.job_id));
COMMENT ON VIEW coin_market_raw IS
    'The newest row of each coin, for readers that know one table: all in the currency of the first '
    'job, a coin that several jobs have from the job that saw it last. Coins that left stay.';

CREATE VIEW coin_market_processed AS
SELECT id, symbol, name, current_price, market_cap, total_volume, last_updated
FROM coin_market_raw;
COMMENT ON VIEW coin_market_processed IS 'The seven columns of coin_market_raw that most ask for.';
