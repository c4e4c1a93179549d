/* Writes polls of long ago: old_tape DATA JOB [failed:]DAYS... (ago, each in a segment of its own;
 * negative: to come). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_US (86400 * US_PER_S)

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static enum st put_poll(struct tape_writer *writer, bool is_ok, struct err *err)
{
    const struct str body = STR("[{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\"}]");
    const struct tape_record page = {.is_json = true,
                                     .slot_us = now_us - now_us % (30 * US_PER_S),
                                     .page = 1,
                                     .attempt = 1,
                                     .fetched_at_us = now_us,
                                     .status = 200,
                                     .target = STR("/coins/markets")};
    uint64_t offset, end;

    enum st st = tape_append_page(writer, &page, body, &offset, err);
    const struct tape_record r = {.slot_us = page.slot_us,
                                  .fetched_at_us = now_us,
                                  .outcome = is_ok ? POLL_OK : POLL_FAILED,
                                  .started_us = now_us,
                                  .pages = is_ok ? &offset : NULL,
                                  .n_pages = is_ok,
                                  .attempts = 1,
                                  .error = is_ok ? STR_NONE : STR("clock")};
    return st == ST_OK ? tape_append_end(writer, &r, &end, err) : st;
}

int main(int argc, char **argv)
{
    struct clock clock = {.wall_us = get_now, .mono_us = get_now};
    struct tape_writer_setup setup = {
        .clock = &clock,
        .id = {.endpoint = "coins/markets", .vs_currency = "usd", .selection = "top=60"},
        .segment_span_us = 3600 * US_PER_S,
        .segment_max_bytes = 1 << 20,
    };
    struct tape_recovery recovery;
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    if (argc < 3 || tape_open(argv[1], &setup.tape, &err) != ST_OK)
        return 2;
    snprintf(setup.id.job, sizeof(setup.id.job), "%s", argv[2]);
    int64_t today_us = clock_wall_us(clock_system());
    for (int i = 3; st == ST_OK && i < argc; i++) {
        const char *failed = "failed:", *day = argv[i];
        bool is_ok = strncmp(day, failed, strlen(failed)) != 0;
        struct tape_writer *writer;
        now_us = today_us - strtol(is_ok ? day : day + strlen(failed), NULL, 10) * DAY_US;
        st = tape_writer_open(&setup, &writer, &recovery, &err);
        if (st != ST_OK)
            break;
        st = put_poll(writer, is_ok, &err);
        tape_writer_close(writer);
    }
    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.msg);
    tape_close(setup.tape);
    return st == ST_OK ? 0 : 1;
}
