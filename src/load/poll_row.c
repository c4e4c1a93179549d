/* SPDX-License-Identifier: Apache-2.0 */
#include "load/poll_row.h"

#include "transform/drift.h"

#define MAX_REASONS 4096

static struct cell time_or_none(int64_t ts_us)
{
    return ts_us != 0 ? cell_of_time(ts_us) : CELL_NONE;
}

static struct cell text_or_none(struct str text)
{
    return text.len > 0 ? cell_of_text(text) : CELL_NONE;
}

static uint32_t missing_pages(const struct tape_record *end)
{
    uint32_t n = 0;

    for (uint32_t i = 0; end->pages && i < end->n_pages; i++)
        n += end->pages[i] == 0;
    return n;
}

static void add_counts(const struct sink_load *load, const struct sink_result *result,
                       struct cell *row)
{
    const struct poll_rows *rows = load->rows;

    row[POLL_COLUMN_LOADED] = cell_of_text(result->is_duplicate ? STR("duplicate")
                                           : rows               ? STR("rows")
                                                                : STR("none"));
    row[POLL_COLUMN_ROWS_IN] = cell_of_int(rows ? rows->rows_in : 0);
    row[POLL_COLUMN_ROWS_NEW] = cell_of_int((int64_t)result->n_stored);
    row[POLL_COLUMN_ROWS_UNCHANGED] = cell_of_int((int64_t)result->n_unchanged);
    row[POLL_COLUMN_ROWS_ABSENT] = cell_of_int(rows ? (int64_t)rows->n_absent : 0);
    row[POLL_COLUMN_ROWS_QUARANTINED] =
        cell_of_int(rows ? (int64_t)(rows->n_refusals + result->n_refused) : 0);
    if (outcome_bears_rows(load->end->outcome))
        row[POLL_COLUMN_TRANSFORM_VERSION] = cell_of_int(TRANSFORM_VERSION);
}

static void add_texts(const struct sink_load *load, struct poll_row *to)
{
    const struct str reasons[] = {load->end->error, load->error};

    sink_uuid_text(load->stream, to->uuid);
    if (load->rows)
        drift_write(&to->drift, load->rows->drifts, load->rows->n_drifts);
    for (size_t i = 0; i < 2; i++)
        if (reasons[i].len > 0)
            buf_addf(&to->error, "%s%.*s", to->error.len > 0 ? "; " : "", STR_ARG(reasons[i]));
    to->cells[POLL_COLUMN_STREAM] = cell_of_text(str_of(to->uuid));
    to->cells[POLL_COLUMN_DRIFT] = text_or_none(buf_str(&to->drift));
    to->cells[POLL_COLUMN_ERROR] = text_or_none(buf_str(&to->error));
}

static void add_end(const struct sink_load *load, struct cell *row)
{
    const struct tape_record *end = load->end;

    row[POLL_COLUMN_JOB] = cell_of_text(str_of(load->stream->job));
    row[POLL_COLUMN_SLOT] = cell_of_time(end->slot_us);
    row[POLL_COLUMN_OUTCOME] = cell_of_text(str_of(poll_outcome_name(end->outcome)));
    row[POLL_COLUMN_STARTED] = time_or_none(end->started_us);
    row[POLL_COLUMN_FINISHED] = cell_of_time(end->fetched_at_us);
    row[POLL_COLUMN_NEXT_DUE] = time_or_none(end->next_due_us);
    row[POLL_COLUMN_ATTEMPTS] = cell_of_int(end->attempts);
    if (load->http_status != 0)
        row[POLL_COLUMN_HTTP_STATUS] = cell_of_int(load->http_status);
    row[POLL_COLUMN_PAGES] = cell_of_int(end->n_pages);
    row[POLL_COLUMN_PAGES_MISSING] = cell_of_int(missing_pages(end));
    row[POLL_COLUMN_BYTES] = cell_of_int((int64_t)end->bytes);
    row[POLL_COLUMN_CREDITS] = cell_of_int((int64_t)load->credits);
    row[POLL_COLUMN_FIRST_OFFSET] = cell_of_int((int64_t)end->first_offset);
    row[POLL_COLUMN_LAST_OFFSET] = cell_of_int((int64_t)end->offset);
}

void poll_row_init(struct poll_row *row)
{
    buf_init(&row->drift, DRIFT_MAX_TEXT);
    buf_init(&row->error, MAX_REASONS);
}

void poll_row_release(struct poll_row *row)
{
    buf_release(&row->drift);
    buf_release(&row->error);
}

void poll_row_fill(struct poll_row *row, const struct sink_load *load,
                   const struct sink_result *result)
{
    buf_clear(&row->drift);
    buf_clear(&row->error);
    for (size_t i = 0; i < N_POLL_COLUMNS; i++)
        row->cells[i] = CELL_NONE;
    add_texts(load, row);
    add_end(load, row->cells);
    add_counts(load, result, row->cells);
}
