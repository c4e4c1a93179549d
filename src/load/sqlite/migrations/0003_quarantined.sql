-- SPDX-License-Identifier: Apache-2.0
-- Frozen: a change is a new migration.
--
-- The few polls of which something may be in quarantine: whoever looks there needs not read all.
CREATE INDEX poll_quarantined ON poll (slot) WHERE rows_quarantined > 0 OR loaded = 'none';
