INSERT INTO poll (job_id, slot, outcome, loaded, started, finished, next_due, attempts, http_status,
                  pages, pages_missing, rows_in, rows_new, rows_unchanged, rows_absent,
                  rows_quarantined, bytes, credits, transform_version, stream, first_offset,
                  last_offset, drift, error)
VALUES (:job_id, :slot, :outcome, :loaded, :started, :finished, :next_due, :attempts, :http_status,
        :pages, :pages_missing, :rows_in, :rows_new, :rows_unchanged, :rows_absent,
        :rows_quarantined, :bytes, :credits, :transform_version, :stream, :first_offset,
        :last_offset, :drift, :error);
