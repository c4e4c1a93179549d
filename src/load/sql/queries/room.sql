-- About as many rows as the market of a currency has, or more.
SELECT count(*) FROM {latest} JOIN job USING (job_id) WHERE vs_currency = :vs_currency;
