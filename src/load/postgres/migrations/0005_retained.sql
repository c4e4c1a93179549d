-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- What was removed of a job by --retain-rows and --retain-5m.
ALTER TABLE candle_upkeep ADD COLUMN rows_from    timestamptz;
ALTER TABLE candle_upkeep ADD COLUMN frozen_until timestamptz;
ALTER TABLE candle_upkeep ADD COLUMN fine_from    timestamptz;
COMMENT ON COLUMN candle_upkeep.rows_from IS 'rows of market of slots before were removed; NULL: none; in UTC';
COMMENT ON COLUMN candle_upkeep.frozen_until IS 'polls of slots before get no rows any more; NULL: all do; in UTC';
COMMENT ON COLUMN candle_upkeep.fine_from IS 'candles of 5 minutes before were removed; NULL: none; in UTC';
