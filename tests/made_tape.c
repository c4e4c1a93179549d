/* Writes the polls that tests make up: made_tape DATA JOB ENDPOINT [CURRENCY [SELECTION]] < POLLS
 *
 * A poll is a line: its slot in µs since 1970, its outcome, then a file for each of its pages, "-"
 * for one that is missing. Page n is fetched n seconds after the slot, or n times what stands
 * behind the slot: "1795442400000000:60000000". Charts are of bitcoin, of the last 90 days.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "tape/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE  4096
#define MAX_PAGES 16

static int64_t now_us;
static int64_t pace_us; /* from page to page */
static const char *target = "/made";

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static enum poll_outcome read_outcome(struct str name)
{
    enum poll_outcome outcome = POLL_OK;

    while (!str_eq(name, str_of(poll_outcome_name(outcome))))
        outcome++;
    return outcome;
}

static enum st put_page(struct tape_writer *writer, int64_t slot_us, uint32_t page, struct str file,
                        uint64_t *ret_offset, struct err *err)
{
    struct buf body = BUF_INIT(TAPE_MAX_BODY);
    char path[FILE_MAX_PATH];
    const struct tape_record r = {.is_json = true,
                                  .slot_us = slot_us,
                                  .page = page,
                                  .attempt = 1,
                                  .fetched_at_us = slot_us + page * pace_us,
                                  .status = 200,
                                  .target = str_of(target)};

    snprintf(path, sizeof(path), "%.*s", STR_ARG(file));
    enum st st = file_read(path, &body, err);
    if (st == ST_OK)
        st = tape_append_page(writer, &r, buf_str(&body), ret_offset, err);
    buf_release(&body);
    return st;
}

static enum st put_poll(struct tape_writer *writer, struct str line, struct err *err)
{
    uint64_t pages[MAX_PAGES] = {0}, offset;
    struct str slot, outcome, file;
    uint32_t n = 0;
    enum st st = ST_OK;

    str_cut(&line, ' ', &slot);
    str_cut(&line, ' ', &outcome);
    char *behind;
    now_us = strtoll(slot.p, &behind, 10);
    pace_us = *behind == ':' ? strtoll(behind + 1, NULL, 10) : US_PER_S;
    for (; st == ST_OK && line.len > 0 && n < MAX_PAGES; n++) {
        str_cut(&line, ' ', &file);
        if (!str_eq(file, STR("-")))
            st = put_page(writer, now_us, n + 1, file, &pages[n], err);
    }
    const struct tape_record end = {.slot_us = now_us,
                                    .fetched_at_us = now_us + n * pace_us,
                                    .outcome = read_outcome(outcome),
                                    .started_us = now_us,
                                    .pages = pages,
                                    .n_pages = n,
                                    .attempts = n};
    return st == ST_OK ? tape_append_end(writer, &end, &offset, err) : st;
}

int main(int argc, char **argv)
{
    struct clock clock = {.wall_us = get_now, .mono_us = get_now};
    struct tape_writer_setup setup = {
        .clock = &clock, .segment_span_us = 3600 * US_PER_S, .segment_max_bytes = 1 << 20};
    struct tape_recovery recovery;
    struct tape_writer *writer = NULL;
    struct err err = ERR_INIT;
    char line[MAX_LINE];

    if (argc < 4 || argc > 6 || tape_open(argv[1], &setup.tape, &err) != ST_OK)
        return 2;
    snprintf(setup.id.job, sizeof(setup.id.job), "%s", argv[2]);
    snprintf(setup.id.endpoint, sizeof(setup.id.endpoint), "%s", argv[3]);
    if (strcmp(argv[3], "coins/markets") == 0) {
        snprintf(setup.id.vs_currency, sizeof(setup.id.vs_currency), "%s",
                 argc > 4 ? argv[4] : "usd");
        snprintf(setup.id.selection, sizeof(setup.id.selection), "all");
    }
    if (strcmp(argv[3], "coins/market_chart") == 0)
        target = "/coins/bitcoin/market_chart?vs_currency=usd&days=90";
    else if (strcmp(argv[3], "coins/ohlc") == 0)
        target = "/coins/bitcoin/ohlc?vs_currency=usd&days=90";
    if (argc > 5)
        snprintf(setup.id.selection, sizeof(setup.id.selection), "%s", argv[5]);
    enum st st = tape_writer_open(&setup, &writer, &recovery, &err);
    while (st == ST_OK && fgets(line, sizeof(line), stdin))
        st = put_poll(writer, (struct str){line, strcspn(line, "\n")}, &err);
    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.msg);
    tape_writer_close(writer);
    tape_close(setup.tape);
    return st == ST_OK ? 0 : 1;
}
