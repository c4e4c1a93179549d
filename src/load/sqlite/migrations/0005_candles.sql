-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- What the rows of market make of the prices of a coin: a row for each job, coin and bucket of 5
-- minutes, an hour, a UTC day that is over and in which the job knew the coin; src/load/sql/candles.h
-- says what counts when. A bucket in which nothing changed is flat, one without a good poll is not
-- there.
CREATE TABLE candle (
    step              INTEGER NOT NULL, -- seconds: 300, 3600, 86400
    start             INTEGER NOT NULL, -- when the bucket begins
    job_id            INTEGER NOT NULL REFERENCES job,
    coin_id           INTEGER NOT NULL REFERENCES coin,
    open,                               -- prices; NULL: the coin had none
    high,
    low,
    close,
    open_market_cap,                    -- with the first price
    open_total_volume,
    market_cap,                         -- with the last price
    total_volume,
    first_at          INTEGER,          -- when the first price, and the last, was known
    last_at           INTEGER,
    rows              INTEGER NOT NULL, -- of market; 0: all were left out, as nothing changed
    unpriced          INTEGER NOT NULL, -- of them: those without a price
    PRIMARY KEY (step, start, job_id, coin_id)
) WITHOUT ROWID;

-- Up to when the candles of a job are made.
CREATE TABLE candle_upkeep (
    job_id      INTEGER PRIMARY KEY REFERENCES job,
    built_until INTEGER NOT NULL
);
