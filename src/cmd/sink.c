/* geckotape sink: which sinks the data directory knows, and how far they are. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "cmd/streams.h"
#include "control/control.h"
#include "load/known.h"

#include <stdio.h>

#define MAX_ARENA (size_t)(64 * 1024 * 1024)

/* How many records of its stream a sink lacks; false when the stream is not on the tape. */
static bool count_behind(const char *data_dir, const struct known_stream *s, uint64_t *ret_behind)
{
    struct loader_stream stream = {.head = NULL};
    struct err err = ERR_INIT;

    if (tape_stream_dir(data_dir, s->job, stream.dir, &err) != ST_OK)
        return false;
    uint64_t last = cmd_last_offset(&stream);
    *ret_behind = last > s->offset ? last - s->offset : 0;
    return last > 0;
}

static void print_sink(const char *data_dir, const struct known_sink *sink)
{
    char noted[TIME_TEXT];
    uint64_t behind;

    time_format(sink->noted_us - sink->noted_us % US_PER_S, noted);
    for (size_t i = 0; i < sink->n_streams; i++) {
        const struct known_stream *s = &sink->streams[i];
        printf("%.*s  %s  offset %llu", STR_ARG(sink->url), s->job, (unsigned long long)s->offset);
        if (count_behind(data_dir, s, &behind))
            printf("  %llu behind", (unsigned long long)behind);
        printf("  noted %s\n", noted);
    }
}

static int list(const char *data_dir)
{
    struct known_sink *sinks;
    struct err err = ERR_INIT;
    struct arena arena;
    size_t n, n_problems = 0;

    arena_init(&arena, MAX_ARENA);
    enum st st = known_list(data_dir, &arena, &sinks, &n, &err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (sinks[i].problem.len > 0) {
            fprintf(stderr, "geckotape: %.*s\n", STR_ARG(sinks[i].problem));
            n_problems++;
        } else {
            print_sink(data_dir, &sinks[i]);
        }
    }
    if (st == ST_OK && n == 0)
        fprintf(stderr, "geckotape: no sink of %s is known yet\n", data_dir);
    arena_release(&arena);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    return n_problems > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* text: a name as listed, or a URL, also with its secrets. What is listed goes first. */
static enum st read_name(const char *data_dir, const char *text, char ret_name[KNOWN_NAME_MAX],
                         struct err *err)
{
    struct sink_url *url = mem_new(1, sizeof(*url));
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    if (known_has(data_dir, text) || sink_url_parse(str_of(text), url, &why) != ST_OK)
        snprintf(ret_name, KNOWN_NAME_MAX, "%s", text);
    else
        st = known_name(url, ret_name, err);
    mem_free(url);
    return st;
}

static int forget(const char *data_dir, const char *text)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    char name[KNOWN_NAME_MAX];
    struct err err = ERR_INIT;
    int code;

    enum st st = read_name(data_dir, text, name, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    control_put(&request, "sink-forget", NULL);
    control_put(&request, "sink", name);
    if (!cmd_hand_over(data_dir, &request, &code)) {
        st = known_forget(data_dir, name, &err);
        code = st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
    }
    if (code == EXIT_DONE)
        printf("%s is forgotten: what it has not loaded may now be removed from the tape. What it "
               "holds stays; when it is loaded again, it is known again.\n",
               name);
    buf_release(&request);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    const char *data_dir = cmd_data_dir(config);

    if (strcmp(words[0], "ls") == 0 && n_words == 1)
        return list(data_dir);
    if (strcmp(words[0], "forget") == 0 && n_words == 2)
        return forget(data_dir, words[1]);
    fprintf(stderr, "geckotape: sink: write geckotape sink ls, or geckotape sink forget URL\n");
    return EXIT_USAGE;
}

const struct verb verb_sink = {
    .name = "sink",
    .bit = VERB_SINK,
    .summary = "List the sinks that the tape is kept for, or forget one.",
    .form = "geckotape sink ls|forget [URL] [options]",
    .min_words = 1,
    .max_words = 2,
    .examples = "  geckotape sink ls\n"
                "      each sink and stream, and how far it is\n"
                "  geckotape sink forget sqlite:./old.db\n"
                "      it is not coming back: nothing on the tape waits for it any more\n",
    .run = run,
};
