/* The null: driver: takes everything, keeps nothing. For measuring what comes before a sink. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/drivers.h"

static enum st null_check(const struct sink_url *url, struct err *err)
{
    return sink_url_check_options(url, (const char *const[]){NULL}, err);
}

static enum st null_open(struct sink *s, struct err *err)
{
    (void)s, (void)err;
    return ST_OK;
}

static enum st null_attach(struct sink *s, const struct stream_id *stream,
                           struct position *ret_position, struct err *err)
{
    (void)s, (void)stream, (void)err;
    *ret_position = (struct position){0};
    return ST_OK;
}

static enum st null_load(struct sink *s, const struct sink_load *load,
                         struct sink_result *ret_result, struct err *err)
{
    (void)s, (void)err;
    *ret_result = (struct sink_result){.n_stored = load->rows ? load->rows->rows.n : 0};
    return ST_OK;
}

static void null_close(struct sink *s)
{
    (void)s;
}

const struct sink_driver sink_null = {
    .scheme = "null",
    .summary = "takes everything, keeps nothing",
    .example = "null:",
    .check = null_check,
    .open = null_open,
    .attach = null_attach,
    .load = null_load,
    .close = null_close,
};
