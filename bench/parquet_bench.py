# SPDX-License-Identifier: Apache-2.0
"""The same rows by pyarrow, where it is there (build-interop/venv has it after `make interop`): parquet_bench.py FILE

CPU of pyarrow's writer alone, one thread; its rows are arrays already, ours are cells with decimals.
"""
import os
import sys
import tempfile
import time

try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    print("parquet: no pyarrow here to compare with; make interop installs it")
    sys.exit()


def write(table, path, **options):
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        pyarrow.parquet.write_table(table, path, **options)
        best = min(best, time.process_time() - begin)
    return os.path.getsize(path) / table.num_rows, table.num_rows / best / 1e6


pyarrow.set_cpu_count(1)
table = pyarrow.parquet.read_table(sys.argv[1]).combine_chunks()
texts = [field.name for field in table.schema if pyarrow.types.is_string(field.type)]
ours = os.path.getsize(sys.argv[1]) / table.num_rows
with tempfile.TemporaryDirectory() as place:
    for name, options in (("as it is by default", {}), ("tuned: zstd, dictionaries of texts alone", {"compression": "zstd", "use_dictionary": texts})):
        size, speed = write(table, os.path.join(place, "x"), **options)
        print(f"parquet: pyarrow {name}: {size:.1f} B a row ({ours / size:.2f} of it is ours), {speed:.2f} M rows/s of CPU")
