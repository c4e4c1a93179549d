-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- Times are INTEGER microseconds since 1970-01-01T00:00:00Z. Columns that hold numbers of CoinGecko
-- are declared without a type, so that SQLite converts nothing: a value is INTEGER when it is one,
-- REAL when the double gives the very number back, else TEXT with every digit.

PRAGMA application_id = 1734568820; -- 0x67636b74, "gckt"

CREATE TABLE schema_version (
    version        INTEGER PRIMARY KEY,
    oldest_program TEXT    NOT NULL, -- the oldest geckotape that may write this version
    applied_by     TEXT    NOT NULL,
    applied_at     INTEGER NOT NULL
);

CREATE TABLE job (
    job_id       INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    endpoint     TEXT    NOT NULL,
    vs_currency  TEXT    NOT NULL,
    selection    TEXT    NOT NULL,
    is_simulated INTEGER NOT NULL -- 1: its rows are made up by `geckotape simulate`
);

-- How far each stream of the tape is loaded. The transaction that loads a poll moves it first.
CREATE TABLE sink_offset (
    stream     TEXT    PRIMARY KEY, -- UUID
    job_id     INTEGER NOT NULL REFERENCES job,
    offset     INTEGER NOT NULL,    -- of the last poll's end; 0: nothing yet
    hash       INTEGER NOT NULL,    -- of that record
    epoch      INTEGER NOT NULL,    -- raised by each loader that takes the stream over
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE coin (
    coin_id    INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE, -- CoinGecko's
    symbol     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    image      TEXT,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL -- kept to the hour, and when the coin goes absent
);

CREATE TABLE coin_name (
    coin_id INTEGER NOT NULL REFERENCES coin,
    since   INTEGER NOT NULL,
    symbol  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    PRIMARY KEY (coin_id, since)
) WITHOUT ROWID;

-- A row for each coin in each poll, but for rows that equal the coin's row before within the hour.
CREATE TABLE market (
    slot                                    INTEGER NOT NULL,
    job_id                                  INTEGER NOT NULL REFERENCES job,
    coin_id                                 INTEGER NOT NULL REFERENCES coin,
    fetched_at                              INTEGER NOT NULL,
    current_price,
    market_cap,
    market_cap_rank                         INTEGER,
    fully_diluted_valuation,
    total_volume,
    high_24h,
    low_24h,
    price_change_24h,
    price_change_percentage_24h,
    market_cap_change_24h,
    market_cap_change_percentage_24h,
    circulating_supply,
    total_supply,
    max_supply,
    ath,
    ath_change_percentage,
    ath_date                                INTEGER,
    atl,
    atl_change_percentage,
    atl_date                                INTEGER,
    roi_times,
    roi_currency                            TEXT,
    roi_percentage,
    last_updated                            INTEGER,
    market_cap_rank_with_rehypothecated     INTEGER,
    sparkline_in_7d                         TEXT,
    price_change_percentage_1h_in_currency,
    price_change_percentage_24h_in_currency,
    price_change_percentage_7d_in_currency,
    price_change_percentage_14d_in_currency,
    price_change_percentage_30d_in_currency,
    price_change_percentage_200d_in_currency,
    price_change_percentage_1y_in_currency,
    PRIMARY KEY (slot, job_id, coin_id)
) WITHOUT ROWID;

-- The last row of each coin in each job: the columns of market, in the same order.
CREATE TABLE latest (
    slot                                    INTEGER NOT NULL,
    job_id                                  INTEGER NOT NULL REFERENCES job,
    coin_id                                 INTEGER NOT NULL REFERENCES coin,
    fetched_at                              INTEGER NOT NULL,
    current_price,
    market_cap,
    market_cap_rank                         INTEGER,
    fully_diluted_valuation,
    total_volume,
    high_24h,
    low_24h,
    price_change_24h,
    price_change_percentage_24h,
    market_cap_change_24h,
    market_cap_change_percentage_24h,
    circulating_supply,
    total_supply,
    max_supply,
    ath,
    ath_change_percentage,
    ath_date                                INTEGER,
    atl,
    atl_change_percentage,
    atl_date                                INTEGER,
    roi_times,
    roi_currency                            TEXT,
    roi_percentage,
    last_updated                            INTEGER,
    market_cap_rank_with_rehypothecated     INTEGER,
    sparkline_in_7d                         TEXT,
    price_change_percentage_1h_in_currency,
    price_change_percentage_24h_in_currency,
    price_change_percentage_7d_in_currency,
    price_change_percentage_14d_in_currency,
    price_change_percentage_30d_in_currency,
    price_change_percentage_200d_in_currency,
    price_change_percentage_1y_in_currency,
    PRIMARY KEY (job_id, coin_id)
) WITHOUT ROWID;

-- One row for each poll on each stream. Of the polls of a slot at most one has its rows in market;
-- the key has room for the others, which another collector, or a second try, made of the same slot.
CREATE TABLE poll (
    job_id            INTEGER NOT NULL REFERENCES job,
    slot              INTEGER NOT NULL,
    outcome           TEXT    NOT NULL, -- ok, partial, failed, aborted
    loaded            TEXT    NOT NULL CHECK (loaded IN ('rows', 'duplicate', 'none')),
    started           INTEGER,
    finished          INTEGER NOT NULL,
    next_due          INTEGER,          -- when the next poll was promised
    attempts          INTEGER NOT NULL, -- requests sent
    http_status       INTEGER,          -- of the last answer
    pages             INTEGER NOT NULL,
    pages_missing     INTEGER NOT NULL,
    rows_in           INTEGER NOT NULL,
    rows_new          INTEGER NOT NULL, -- in market
    rows_unchanged    INTEGER NOT NULL, -- left out of market
    rows_absent       INTEGER NOT NULL,
    rows_quarantined  INTEGER NOT NULL,
    bytes             INTEGER NOT NULL, -- of all bodies
    credits           INTEGER NOT NULL,
    transform_version INTEGER,          -- NULL: there were no rows to make
    stream            TEXT    NOT NULL,
    first_offset      INTEGER NOT NULL,
    last_offset       INTEGER NOT NULL,
    error             TEXT,             -- why it is not ok, or what was unusual
    PRIMARY KEY (job_id, slot, stream, last_offset)
) WITHOUT ROWID;
CREATE UNIQUE INDEX poll_rows ON poll (job_id, slot) WHERE loaded = 'rows';

-- A coin that was in the job's ok poll before from_slot, and not in that of from_slot.
CREATE TABLE absence (
    job_id     INTEGER NOT NULL REFERENCES job,
    coin_id    INTEGER NOT NULL REFERENCES coin,
    from_slot  INTEGER NOT NULL,
    until_slot INTEGER, -- of the row that ended it; NULL: still absent
    PRIMARY KEY (job_id, coin_id, from_slot)
) WITHOUT ROWID;
CREATE UNIQUE INDEX absence_open ON absence (job_id, coin_id) WHERE until_slot IS NULL;

-- What was refused. It is all still on the tape, at stream and offset.
CREATE TABLE quarantine (
    stream TEXT    NOT NULL,
    offset INTEGER NOT NULL,
    idx    INTEGER, -- of the row in its page, from 0; NULL: the poll as a whole
    coin   TEXT,
    field  TEXT,
    reason TEXT    NOT NULL,
    value  TEXT,
    stage  TEXT    NOT NULL -- transform, load
);
CREATE INDEX quarantine_record ON quarantine (stream, offset);

-- From a promised poll that did not happen to the next that did (NULL: none did so far).
CREATE VIEW gap AS
SELECT job_id, job.name AS job, next_due AS from_slot, next_slot AS until_slot
FROM (SELECT job_id, slot, max(next_due) AS next_due,
             lead(slot) OVER (PARTITION BY job_id ORDER BY slot) AS next_slot
      FROM poll
      WHERE outcome <> 'aborted'
      GROUP BY job_id, slot)
JOIN job USING (job_id)
-- a poll that is due now gets a minute to arrive
WHERE next_due < coalesce(next_slot, (CAST(strftime('%s', 'now') AS INTEGER) - 60) * 1000000);

-- The newest row of each coin, for readers that know one table: all in the currency of the first
-- job, a coin that several jobs have from the job that saw it last. Coins that left stay.
CREATE VIEW coin_market_raw AS
SELECT coin.id, coin.symbol, coin.name, coin.image,
       row.current_price, row.market_cap, row.market_cap_rank, row.total_volume, row.high_24h,
       row.low_24h, row.price_change_24h, row.price_change_percentage_24h,
       strftime('%Y-%m-%dT%H:%M:%S', row.last_updated / 1000000, 'unixepoch') ||
           CASE WHEN row.last_updated % 1000 = 0
                THEN printf('.%03dZ', row.last_updated / 1000 % 1000)
                ELSE printf('.%06dZ', row.last_updated % 1000000) END AS last_updated
FROM latest AS row JOIN coin USING (coin_id) JOIN job USING (job_id)
WHERE job.vs_currency = (SELECT vs_currency FROM job ORDER BY job_id LIMIT 1)
  AND NOT EXISTS (SELECT 1
                  FROM job AS other JOIN latest AS newer USING (job_id)
                  WHERE other.vs_currency = job.vs_currency AND newer.coin_id = row.coin_id
                    AND (newer.fetched_at, newer.job_id) > (row.fetched_at, row.job_id));

CREATE VIEW coin_market_processed AS
SELECT id, symbol, name, current_price, market_cap, total_volume, last_updated
FROM coin_market_raw;
