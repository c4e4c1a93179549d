-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- Tables for coins/list, global and simple/supported_vs_currencies: job.endpoint says where the rows
-- of a job are, and job.vs_currency is '' where the endpoint has none. What is said of market in the
-- table poll holds for these too. Drift and quality.

-- A row for each coin in each answer of /coins/list, but for those that equal the coin's row before
-- within the UTC day.
CREATE TABLE listing (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    coin_id    INTEGER NOT NULL REFERENCES coin,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (slot, job_id, coin_id)
) WITHOUT ROWID;

CREATE TABLE latest_listing (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    coin_id    INTEGER NOT NULL REFERENCES coin,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, coin_id)
) WITHOUT ROWID;

-- A row for each figure in each answer of /global: a new figure, or a new currency, is a new row.
CREATE TABLE global (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    id         TEXT    NOT NULL, -- total_market_cap.usd, active_cryptocurrencies
    fetched_at INTEGER NOT NULL,
    figure     TEXT    NOT NULL, -- total_market_cap
    part       TEXT,             -- usd; NULL where the figure has no parts
    value,
    PRIMARY KEY (slot, job_id, id)
) WITHOUT ROWID;

-- The last row of each figure in each job; slot tells whether the last answer still had it.
CREATE TABLE latest_global (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    id         TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL,
    figure     TEXT    NOT NULL,
    part       TEXT,
    value,
    PRIMARY KEY (job_id, id)
) WITHOUT ROWID;

-- A row for each currency in each answer of /simple/supported_vs_currencies.
CREATE TABLE vs_currency (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    id         TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (slot, job_id, id)
) WITHOUT ROWID;

CREATE TABLE latest_vs_currency (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    id         TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, id)
) WITHOUT ROWID;

-- How a poll's answers are not as they were known to be.
ALTER TABLE poll ADD COLUMN drift TEXT;

-- Values that are hardly true, by the rule they break (docs/quality.md). The rows are kept as they
-- came. What lasts is flagged when it begins, and in the first poll of each hour.
CREATE TABLE quality_flag (
    slot    INTEGER NOT NULL,
    job_id  INTEGER NOT NULL REFERENCES job,
    coin_id INTEGER NOT NULL REFERENCES coin,
    rule    TEXT    NOT NULL,
    detail  TEXT    NOT NULL, -- the values, as sent
    PRIMARY KEY (slot, job_id, coin_id, rule)
) WITHOUT ROWID;

CREATE VIEW quality AS
SELECT job.name AS job, coin.id, flag.slot, flag.rule, flag.detail
FROM quality_flag AS flag JOIN job USING (job_id) JOIN coin USING (coin_id);

-- The newest row of each coin, for readers that know one table: all in the currency of the first
-- job, a coin that several jobs have from the job that saw it last. Coins that left stay.
DROP VIEW coin_market_raw;
CREATE VIEW coin_market_raw AS
SELECT coin.id, coin.symbol, coin.name, coin.image,
       row.current_price, row.market_cap, row.market_cap_rank, row.total_volume, row.high_24h,
       row.low_24h, row.price_change_24h, row.price_change_percentage_24h,
       strftime('%Y-%m-%dT%H:%M:%S', row.last_updated / 1000000, 'unixepoch') ||
           CASE WHEN row.last_updated % 1000 = 0
                THEN printf('.%03dZ', row.last_updated / 1000 % 1000)
                ELSE printf('.%06dZ', row.last_updated % 1000000) END AS last_updated
FROM latest AS row JOIN coin USING (coin_id) JOIN job USING (job_id)
WHERE job.vs_currency = (SELECT vs_currency FROM job WHERE endpoint = 'coins/markets'
                         ORDER BY job_id LIMIT 1)
  AND NOT EXISTS (SELECT 1
                  FROM job AS other JOIN latest AS newer USING (job_id)
                  WHERE other.vs_currency = job.vs_currency AND newer.coin_id = row.coin_id
                    AND (newer.fetched_at, newer.job_id) > (row.fetched_at, row.job_id));
