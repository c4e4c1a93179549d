-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration. It runs with the sink's schema as search_path, in one
-- transaction.

CREATE TABLE candle (
    step              integer     NOT NULL,
    start             timestamptz NOT NULL,
    job_id            integer     NOT NULL,
    coin_id           integer     NOT NULL,
    open              numeric,
    high              numeric,
    low               numeric,
    close             numeric,
    open_market_cap   numeric,
    open_total_volume numeric,
    market_cap        numeric,
    total_volume      numeric,
    first_at          timestamptz,
    last_at           timestamptz,
    rows              integer     NOT NULL,
    unpriced          integer     NOT NULL,
    PRIMARY KEY (step, start, job_id, coin_id)
);
COMMENT ON TABLE candle IS
    'What the rows of market make of the prices of a coin: a row for each job, coin and bucket that '
    'is over and in which the job knew the coin. A bucket in which nothing changed is flat, one '
    'without a good poll is not there.';
COMMENT ON COLUMN candle.step IS 'of the bucket: 300, 3600, 86400; in seconds';
COMMENT ON COLUMN candle.start IS 'when the bucket begins; in UTC';
COMMENT ON COLUMN candle.job_id IS 'of the table job';
COMMENT ON COLUMN candle.coin_id IS 'of the table coin';
COMMENT ON COLUMN candle.open IS 'the first price; NULL: the coin had none';
COMMENT ON COLUMN candle.high IS 'the highest price';
COMMENT ON COLUMN candle.low IS 'the lowest price';
COMMENT ON COLUMN candle.close IS 'the last price';
COMMENT ON COLUMN candle.open_market_cap IS 'with the first price';
COMMENT ON COLUMN candle.open_total_volume IS 'with the first price';
COMMENT ON COLUMN candle.market_cap IS 'with the last price';
COMMENT ON COLUMN candle.total_volume IS 'with the last price';
COMMENT ON COLUMN candle.first_at IS 'when the first price was known; in UTC';
COMMENT ON COLUMN candle.last_at IS 'when the last price was known; in UTC';
COMMENT ON COLUMN candle.rows IS 'of market; 0: all were left out, as nothing changed';
COMMENT ON COLUMN candle.unpriced IS 'of the rows: those without a price';

CREATE TABLE candle_upkeep (
    job_id      integer     PRIMARY KEY,
    built_until timestamptz NOT NULL
);
COMMENT ON TABLE candle_upkeep IS 'Up to when the candles of a job are made.';
COMMENT ON COLUMN candle_upkeep.job_id IS 'of the table job';
COMMENT ON COLUMN candle_upkeep.built_until IS 'buckets that end later have no candle yet; in UTC';
