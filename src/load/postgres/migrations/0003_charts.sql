-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration. It runs with the sink's schema as search_path, in one
-- transaction.
--
-- What CoinGecko says about the past: a poll is one answer about one coin, asked for once. There is
-- no table of last rows: the same moment may be in several answers, and the one that was fetched
-- last counts.
CREATE TABLE history (
    slot         timestamptz NOT NULL,
    job_id       integer     NOT NULL,
    at           timestamptz NOT NULL,
    fetched_at   timestamptz NOT NULL,
    coin         text        COLLATE "C" NOT NULL,
    step         bigint      NOT NULL,
    price        numeric,
    market_cap   numeric,
    total_volume numeric,
    PRIMARY KEY (slot, job_id, at)
) PARTITION BY RANGE (slot);
CREATE INDEX history_coin ON history (coin, at);
COMMENT ON TABLE history IS
    'A row for each point in each answer of /coins/{id}/market_chart, but for the last one, which is of '
    'now. Of rows of the same moment the one that was fetched last counts.';

CREATE TABLE ohlc (
    slot       timestamptz NOT NULL,
    job_id     integer     NOT NULL,
    at         timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL,
    coin       text        COLLATE "C" NOT NULL,
    step       bigint      NOT NULL,
    open       numeric,
    high       numeric,
    low        numeric,
    close      numeric,
    PRIMARY KEY (slot, job_id, at)
) PARTITION BY RANGE (slot);
CREATE INDEX ohlc_coin ON ohlc (coin, at);
COMMENT ON TABLE ohlc IS
    'A row for each whole candle in each answer of /coins/{id}/ohlc. Of rows of the same moment the one '
    'that was fetched last counts.';

CREATE TABLE history_default PARTITION OF history DEFAULT;
CREATE TABLE ohlc_default PARTITION OF ohlc DEFAULT;
COMMENT ON TABLE history_default IS 'Rows whose partition could not be made.';
COMMENT ON TABLE ohlc_default IS 'Rows whose partition could not be made.';
