/* SPDX-License-Identifier: Apache-2.0 */
#include "load/mqtt/ledger.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FORMAT     "geckotape-mqtt 1"
#define MAX_LEDGER (64u * 1024 * 1024) /* bytes */

struct mqtt_stream *mqtt_ledger_stream(struct mqtt_ledger *l, const char *uuid)
{
    for (size_t i = 0; i < l->n_streams; i++)
        if (strcmp(l->streams[i].uuid, uuid) == 0)
            return &l->streams[i];
    l->streams = mem_grow(l->streams, l->n_streams + 1, sizeof(*l->streams));
    struct mqtt_stream *s = &l->streams[l->n_streams++];
    *s = (struct mqtt_stream){.epoch = 0};
    snprintf(s->uuid, sizeof(s->uuid), "%s", uuid);
    return s;
}

struct mqtt_job *mqtt_ledger_job(struct mqtt_ledger *l, const char *name)
{
    for (size_t i = 0; i < l->n_jobs; i++)
        if (strcmp(l->jobs[i].name, name) == 0)
            return &l->jobs[i];
    l->jobs = mem_grow(l->jobs, l->n_jobs + 1, sizeof(*l->jobs));
    struct mqtt_job *job = &l->jobs[l->n_jobs++];
    *job = (struct mqtt_job){.slot_us = INT64_MIN};
    snprintf(job->name, sizeof(job->name), "%s", name);
    return job;
}

bool mqtt_ledger_note(struct mqtt_ledger *l, const char *topic, const char *payload,
                      int64_t as_of_us)
{
    size_t i = 0;

    while (i < l->n_messages && strcmp(l->messages[i].topic, topic) != 0)
        i++;
    if (i == l->n_messages) {
        l->messages = mem_grow(l->messages, l->n_messages + 1, sizeof(*l->messages));
        l->messages[l->n_messages++] =
            (struct mqtt_message){.topic = mem_strdup(topic), .as_of_us = INT64_MIN};
    }
    struct mqtt_message *m = &l->messages[i];
    if (as_of_us < m->as_of_us)
        return false;
    m->as_of_us = as_of_us;
    if (m->payload && strcmp(m->payload, payload) == 0)
        return true;
    mem_free(m->payload);
    m->payload = mem_strdup(payload);
    m->is_due = true;
    return true;
}

void mqtt_ledger_drop(struct mqtt_ledger *l, size_t message)
{
    mem_free(l->messages[message].topic);
    mem_free(l->messages[message].payload);
    l->messages[message] = l->messages[--l->n_messages];
}

void mqtt_ledger_clear(struct mqtt_ledger *l)
{
    while (l->n_messages > 0)
        mqtt_ledger_drop(l, l->n_messages - 1);
    mem_free(l->streams);
    mem_free(l->jobs);
    mem_free(l->messages);
    *l = (struct mqtt_ledger){.n_messages = 0};
}

/* ---- the file ---- */

static bool next_word(struct str *line, char *ret, size_t size)
{
    struct str word;

    str_cut(line, ' ', &word);
    if (word.len == 0 || word.len >= size)
        return false;
    memcpy(ret, word.p, word.len);
    ret[word.len] = '\0';
    return true;
}

static bool next_number(struct str *line, int64_t *ret)
{
    struct str word;

    str_cut(line, ' ', &word);
    return str_to_i64(word, INT64_MIN, INT64_MAX, ret);
}

static bool next_hash(struct str *line, uint64_t *ret)
{
    char text[17], *end;

    if (!next_word(line, text, sizeof(text)) || text[0] == '-')
        return false;
    *ret = strtoull(text, &end, 16);
    return end == text + 16;
}

static bool parse_stream(struct str line, struct mqtt_ledger *l)
{
    struct mqtt_stream s;
    int64_t epoch, offset;

    if (!next_word(&line, s.uuid, sizeof(s.uuid)) || !next_word(&line, s.job, sizeof(s.job)) ||
        !next_number(&line, &epoch) || !next_number(&line, &offset) || epoch < 0 || offset < 0 ||
        !next_hash(&line, &s.at.hash))
        return false;
    s.epoch = (uint64_t)epoch;
    s.at.offset = (uint64_t)offset;
    *mqtt_ledger_stream(l, s.uuid) = s;
    return line.len == 0;
}

static bool parse_job(struct str line, struct mqtt_ledger *l)
{
    struct mqtt_job job;
    int64_t outcome, end;

    if (!next_word(&line, job.name, sizeof(job.name)) || !next_number(&line, &job.slot_us) ||
        !next_number(&line, &outcome) || outcome < POLL_OK || outcome > POLL_ABORTED ||
        !next_word(&line, job.uuid, sizeof(job.uuid)) || !next_number(&line, &end) || end < 0)
        return false;
    job.outcome = (enum poll_outcome)outcome;
    job.end = (uint64_t)end;
    *mqtt_ledger_job(l, job.name) = job;
    return line.len == 0;
}

static bool parse_message(struct str line, struct mqtt_ledger *l)
{
    struct str topic;
    int64_t as_of_us;

    if (!next_number(&line, &as_of_us) || !str_cut(&line, ' ', &topic) || topic.len == 0)
        return false;
    l->messages = mem_grow(l->messages, l->n_messages + 1, sizeof(*l->messages));
    l->messages[l->n_messages++] =
        (struct mqtt_message){.topic = mem_strndup(topic.p, topic.len),
                              .payload = mem_strndup(line.p ? line.p : "", line.len),
                              .as_of_us = as_of_us};
    return true;
}

static bool parse(struct str text, struct mqtt_ledger *l)
{
    struct str line, key;

    if (!str_cut(&text, '\n', &line) || !str_eq(line, STR(FORMAT)))
        return false;
    while (str_cut(&text, '\n', &line)) {
        bool is_fine = false;
        if (str_eq(line, STR("end")))
            return text.len == 0;
        str_cut(&line, ' ', &key);
        if (str_eq(key, STR("stream")))
            is_fine = parse_stream(line, l);
        else if (str_eq(key, STR("job")))
            is_fine = parse_job(line, l);
        else if (str_eq(key, STR("message")))
            is_fine = parse_message(line, l);
        if (!is_fine)
            return false;
    }
    return false;
}

enum st mqtt_ledger_read(const char *path, struct mqtt_ledger *ret_ledger, struct err *err)
{
    struct buf text = BUF_INIT(MAX_LEDGER);
    struct mqtt_ledger l = {.n_messages = 0};
    struct err why = ERR_INIT;

    enum st st = file_read(path, &text, &why);
    if (st == ST_REJECT && why.sys == ENOENT)
        st = ST_OK;
    else if (st != ST_OK)
        *err = why;
    else if (!parse(buf_str(&text), &l))
        st = err_set(err, ST_FATAL,
                     "%s: is damaged, or of a newer geckotape; when it is deleted, the streams are "
                     "loaded again from the tape",
                     path);
    buf_release(&text);
    if (st == ST_OK)
        *ret_ledger = l;
    else
        mqtt_ledger_clear(&l);
    return st;
}

enum st mqtt_ledger_write(const char *path, const struct mqtt_ledger *l, struct err *err)
{
    struct buf b = BUF_INIT(MAX_LEDGER);

    buf_add_z(&b, FORMAT "\n");
    for (size_t i = 0; i < l->n_streams; i++) {
        const struct mqtt_stream *s = &l->streams[i];
        buf_addf(&b, "stream %s %s %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", s->uuid, s->job,
                 s->epoch, s->at.offset, s->at.hash);
    }
    for (size_t i = 0; i < l->n_jobs; i++) {
        const struct mqtt_job *job = &l->jobs[i];
        if (job->end != 0) /* of others it had no poll with rows */
            buf_addf(&b, "job %s %" PRId64 " %d %s %" PRIu64 "\n", job->name, job->slot_us,
                     (int)job->outcome, job->uuid, job->end);
    }
    for (size_t i = 0; i < l->n_messages; i++) {
        const struct mqtt_message *m = &l->messages[i];
        buf_addf(&b, "message %" PRId64 " %s ", m->as_of_us, m->topic);
        buf_add_z(&b, m->payload);
        buf_add_char(&b, '\n');
    }
    buf_add_z(&b, "end\n");
    enum st st = buf_check(&b, path, err);
    if (st == ST_OK)
        st = file_replace(path, buf_str(&b), err);
    buf_release(&b);
    return st;
}
