-- A table of coins that is new and empty, cut by coin in place of by slot. COPY holds buffers for at
-- most 32 partitions of a table: these are half of them, so that there is room to halve some.
DO $$
DECLARE
    said text := obj_description('{history}'::regclass);
BEGIN
    CREATE TABLE {history}_by_coin (LIKE {history} INCLUDING ALL) PARTITION BY HASH (coin_id);
    DROP TABLE {history};
    ALTER TABLE {history}_by_coin RENAME TO {history};
    ALTER INDEX {history}_by_coin_pkey RENAME TO {history}_pkey;
    EXECUTE format('COMMENT ON TABLE {history} IS %L', said);
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE {history}_%s PARTITION OF {history} '
                       'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', to_char(n, 'FM00'), n);
    END LOOP;
END
$$;
