-- Of polls that were made anew, where nothing is to be said but numbers.
UPDATE poll
SET rows_in = each.rows_in, rows_new = each.rows_new, rows_unchanged = each.rows_unchanged,
    rows_absent = each.rows_absent, rows_quarantined = each.rows_quarantined,
    transform_version = :transform_version, drift = NULL, error = NULL
FROM unnest(:slot, :last_offset, :rows_in, :rows_new, :rows_unchanged, :rows_absent,
            :rows_quarantined)
     AS each (slot, last_offset, rows_in, rows_new, rows_unchanged, rows_absent, rows_quarantined)
WHERE poll.job_id = :job_id AND poll.slot = each.slot AND poll.stream = :stream
  AND poll.last_offset = each.last_offset;
