/* What the parts of the upkeep share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_UPKEEP_INNER_H
#define LOAD_LAKE_UPKEEP_INNER_H

#include "load/lake/lake.h"
#include "load/lake/upkeep.h"
#include "parquet/reader.h"

/* A file that a log names, or named. */
struct lake_entry {
    char *path; /* as the log has it; it begins with "date=YYYY-MM-DD/" where it is of ours */
    int64_t size;
    char *stats; /* JSON; "": it has none */
    bool is_there;
    int64_t removed_us; /* when it was taken out */
};

struct lake_entries {
    struct lake_entry **entries; /* each stays where it is */
    size_t n, max;
};

struct lake_upkeep {
    const struct sink_url *url;
    const struct lake_told *told;
    struct sink sink; /* whose state is the lake, opened as a loader does */
    struct lake lake;
    struct delta_log logs[LAKE_TABLES]; /* read once more, for the files */
    struct lake_entries files[LAKE_TABLES];
};

void upkeep_say(struct lake_upkeep *u, const char *format, ...) PRINTF(2, 3);
void upkeep_complain(struct lake_upkeep *u, const char *format, ...) PRINTF(2, 3);

/* Does the path lie in a folder of a day, and nowhere else? */
bool upkeep_is_of_day(const char *path);

/* A data file, open for reading. */
struct lake_reading {
    struct object_store *store;
    char name[OBJECT_MAX_NAME];
    struct buf bytes; /* all of it, or the last part that was asked for */
    bool is_whole;
    struct parquet_file *file;
    struct parquet_rows *rows; /* of the table's columns */
    size_t group;
};

/* ST_REJECT: it is not there, or no file that we can read. Owner: reading_close(), also after a
 * failure. */
enum st reading_open(struct lake_reading *r, struct lake_upkeep *u, size_t table,
                     const struct lake_entry *entry, struct err *err) MUST_USE;
/* The next rows, of the table's columns; 0: that was all. */
enum st reading_next(struct lake_reading *r, const struct cell **ret_cells, size_t *ret_n,
                     struct err *err) MUST_USE;
void reading_close(struct lake_reading *r);

/* Has the file columns that are none of the table's? */
bool reading_has_others(const struct lake_reading *r, const struct lake_table *t);

#endif
