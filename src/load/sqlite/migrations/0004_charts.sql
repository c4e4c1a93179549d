-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- What CoinGecko says about the past: a poll is one answer about one coin, asked for once. What is
-- said of market in the table poll holds for these tables too. There is no table of last rows: the
-- same moment may be in several answers, and the one that was fetched last counts.

-- A row for each point in each answer of /coins/{id}/market_chart, but for the last one, which is
-- of now.
CREATE TABLE history (
    slot         INTEGER NOT NULL,
    job_id       INTEGER NOT NULL REFERENCES job,
    at           INTEGER NOT NULL, -- of the point, as sent
    fetched_at   INTEGER NOT NULL,
    coin         TEXT    NOT NULL, -- CoinGecko's id
    step         INTEGER NOT NULL, -- seconds from point to point: 300, 3600, 86400
    price,
    market_cap,
    total_volume,
    PRIMARY KEY (slot, job_id, at)
) WITHOUT ROWID;
CREATE INDEX history_coin ON history (coin, at);

-- A row for each whole candle in each answer of /coins/{id}/ohlc.
CREATE TABLE ohlc (
    slot       INTEGER NOT NULL,
    job_id     INTEGER NOT NULL REFERENCES job,
    at         INTEGER NOT NULL, -- when it closed
    fetched_at INTEGER NOT NULL,
    coin       TEXT    NOT NULL, -- CoinGecko's id
    step       INTEGER NOT NULL, -- seconds: 1800, 3600, 14400, 86400, 345600
    open,
    high,
    low,
    close,
    PRIMARY KEY (slot, job_id, at)
) WITHOUT ROWID;
CREATE INDEX ohlc_coin ON ohlc (coin, at);
