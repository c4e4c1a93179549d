-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- What was removed of a job by --retain-rows and --retain-5m; NULL: nothing.
ALTER TABLE candle_upkeep ADD COLUMN rows_from INTEGER;    -- rows of market of slots before
ALTER TABLE candle_upkeep ADD COLUMN frozen_until INTEGER; -- polls of slots before get no rows
ALTER TABLE candle_upkeep ADD COLUMN fine_from INTEGER;    -- candles of 5 minutes before
