/* The mqtt: driver: the newest state of chosen coins, kept by a broker, shown by Home Assistant.
 *
 * A broker has no transactions. What is published is the newest state of a coin as a whole, so that
 * publishing it again changes nothing; the position moves, in a file of ours (ledger.h), once the
 * broker has acknowledged all of it. A batch, which may be a backlog of hours, is published at its
 * end, and of each coin its newest state alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "load/drivers.h"
#include "load/known.h"
#include "load/mqtt/messages.h"
#include "mqtt/client.h"

#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

struct owned {
    char uuid[SINK_UUID_TEXT];
    uint64_t epoch;
};

struct mqtt_sink {
    struct mqtt_address address;
    struct mqtt_client *client;
    char status[MQTT_MAX_TOPIC];
    char path[FILE_MAX_PATH];  /* of the ledger; "": nothing is kept, and nothing published */
    struct mqtt_ledger ledger; /* of the batch */
    struct owned *owned;       /* streams that we attached */
    size_t n_owned;
    int lock; /* while a batch is open; -1: none is */
};

static enum st mqtt_check(const struct sink_url *url, struct err *err)
{
    struct mqtt_address a;

    return mqtt_address_parse(url, MQTT_SINK, &a, err);
}

/* ---- the ledger, for the one who has its lock ---- */

static void release_ledger(struct mqtt_sink *me)
{
    mqtt_ledger_clear(&me->ledger);
    if (me->lock >= 0)
        file_unlock(me->lock);
    me->lock = -1;
}

static enum st take_ledger(struct mqtt_sink *me, const char *shown, struct err *err)
{
    char path[FILE_MAX_PATH];
    pid_t holder;

    if (me->path[0] == '\0')
        return err_set(err, ST_FATAL, "%s: there is no data directory to keep its position in",
                       shown);
    enum st st = file_path(path, err, "%s.lock", me->path);
    if (st == ST_OK)
        st = file_lock(path, &me->lock, &holder, err);
    if (st != ST_OK) {
        me->lock = -1;
        return st == ST_REJECT ? ST_AGAIN : st;
    }
    st = mqtt_ledger_read(me->path, &me->ledger, err);
    if (st != ST_OK)
        release_ledger(me);
    return st;
}

static enum st find_place(struct sink *s, struct err *err)
{
    struct mqtt_sink *me = s->state;
    char dir[FILE_MAX_PATH], name[KNOWN_NAME_MAX];

    if (s->data_dir == NULL)
        return ST_OK;
    enum st st = known_name(s->url, name, err);
    if (st == ST_OK)
        st = file_path(dir, err, "%s/mqtt", s->data_dir);
    if (st == ST_OK)
        st = file_mkdirs(dir, err);
    return st == ST_OK ? file_path(me->path, err, "%s/%016llx", dir,
                                   (unsigned long long)XXH3_64bits(name, strlen(name)))
                       : st;
}

/* ---- publishing ---- */

static enum st publish_due(struct sink *s, struct err *err)
{
    struct mqtt_sink *me = s->state;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < me->ledger.n_messages; i++) {
        struct mqtt_message *m = &me->ledger.messages[i];
        if (!m->is_due)
            continue;
        bool is_kept = me->address.is_retained || mqtt_is_discovery(&me->address, m->topic);
        st = mqtt_client_publish(me->client, m->topic, str_of(m->payload), is_kept, err);
        m->is_due = false;
    }
    return st == ST_OK ? mqtt_client_flush(me->client, err) : st;
}

/* What an older configuration showed is taken away. *ret_is_changed: there was such. */
static enum st remove_unwanted(struct sink *s, bool *ret_is_changed, struct err *err)
{
    struct mqtt_sink *me = s->state;
    enum st st = ST_OK;

    for (size_t i = me->ledger.n_messages; st == ST_OK && i-- > 0;) {
        const char *topic = me->ledger.messages[i].topic;
        if (mqtt_is_wanted(&me->address, s->is_simulated, topic))
            continue;
        st = mqtt_client_publish(me->client, topic, STR(""), true, err);
        mqtt_ledger_drop(&me->ledger, i);
        *ret_is_changed = true;
    }
    return st == ST_OK ? mqtt_client_flush(me->client, err) : st;
}

/* A broker that forgot what it was given, as one that keeps nothing on its disk, has it again. */
static enum st publish_all(struct sink *s, struct err *err)
{
    struct mqtt_sink *me = s->state;
    bool is_changed = false;

    enum st st = take_ledger(me, s->url->shown, err);
    if (st != ST_OK)
        return st;
    st = remove_unwanted(s, &is_changed, err);
    for (size_t i = 0; i < me->ledger.n_messages; i++)
        me->ledger.messages[i].is_due =
            me->address.is_retained ||
            mqtt_is_discovery(&me->address, me->ledger.messages[i].topic);
    if (st == ST_OK)
        st = publish_due(s, err);
    if (st == ST_OK && is_changed)
        st = mqtt_ledger_write(me->path, &me->ledger, err);
    release_ledger(me);
    return st;
}

static enum st say(struct mqtt_sink *me, const char *status, struct err *err)
{
    return mqtt_client_publish(me->client, me->status, str_of(status), true, err);
}

static enum st mqtt_open(struct sink *s, struct err *err)
{
    struct mqtt_sink *me = s->state;

    me->lock = -1;
    enum st st = mqtt_address_parse(s->url, MQTT_SINK, &me->address, err);
    if (st == ST_OK)
        st = mqtt_address_read_password(s->url, &me->address, err);
    if (st == ST_OK)
        st = find_place(s, err);
    mqtt_status_topic(&me->address, s->is_simulated, me->status);
    const bool is_look = me->path[0] == '\0';
    if (st == ST_OK)
        st = mqtt_client_new(&me->address, s->url->shown, is_look ? NULL : me->status, NULL,
                             &me->client, err);
    if (st != ST_OK || is_look)
        return st;
    st = say(me, "online", err);
    return st == ST_OK ? publish_all(s, err) : st;
}

static void mqtt_close(struct sink *s)
{
    struct mqtt_sink *me = s->state;
    struct err err = ERR_INIT;

    release_ledger(me);
    /* not "offline": what it said stays true until it is stale, and `once` ends at once */
    if (me->client && me->path[0])
        err_ignore(say(me, "stopped", &err));
    mqtt_client_free(me->client);
    mem_free(me->owned);
    *me = (struct mqtt_sink){.lock = -1};
}

/* ---- streams ---- */

static struct owned *find_owned(struct mqtt_sink *me, const char *uuid)
{
    for (size_t i = 0; i < me->n_owned; i++)
        if (strcmp(me->owned[i].uuid, uuid) == 0)
            return &me->owned[i];
    return NULL;
}

static enum st mqtt_attach(struct sink *s, const struct stream_id *id,
                           struct position *ret_position, struct err *err)
{
    struct mqtt_sink *me = s->state;
    char uuid[SINK_UUID_TEXT];

    sink_uuid_text(id, uuid);
    release_ledger(me);
    enum st st = take_ledger(me, s->url->shown, err);
    if (st != ST_OK)
        return st;
    struct mqtt_stream *stream = mqtt_ledger_stream(&me->ledger, uuid);
    snprintf(stream->job, sizeof(stream->job), "%s", id->job);
    stream->epoch++;
    st = mqtt_ledger_write(me->path, &me->ledger, err);
    if (st == ST_OK) {
        struct owned *mine = find_owned(me, uuid);
        if (mine == NULL) {
            me->owned = mem_grow(me->owned, me->n_owned + 1, sizeof(*me->owned));
            mine = &me->owned[me->n_owned++];
            memcpy(mine->uuid, uuid, sizeof(uuid));
        }
        mine->epoch = stream->epoch;
        *ret_position = stream->at;
    }
    release_ledger(me);
    return st;
}

/* Is the stream still ours, and where the load begins? */
static enum st check_fence(struct sink *s, const struct mqtt_stream *stream,
                           const struct sink_load *load, struct err *err)
{
    const struct owned *mine = find_owned(s->state, stream->uuid);

    if (mine == NULL || stream->epoch == 0)
        return err_set(err, ST_AGAIN, "%s: stream %s is not attached", s->url->shown, stream->uuid);
    if (stream->epoch != mine->epoch)
        return err_set(err, ST_FATAL,
                       "%s: stream %s was taken over by another geckotape (epoch %llu, ours was "
                       "%llu); one loader is enough for a sink",
                       s->url->shown, stream->uuid, (unsigned long long)stream->epoch,
                       (unsigned long long)mine->epoch);
    if (stream->at.offset != load->old.offset || stream->at.hash != load->old.hash)
        return err_set(err, ST_AGAIN, "%s: stream %s is at offset %llu, not where this load begins",
                       s->url->shown, stream->uuid, (unsigned long long)stream->at.offset);
    return ST_OK;
}

/* The first poll of a slot wins whole, an ok one replaces a partial one; one that comes late is
 * none that is the newest. History says nothing of today. */
static enum st note_load(struct sink *s, const struct mqtt_stream *stream,
                         const struct sink_load *load, struct sink_result *result, struct err *err)
{
    struct mqtt_sink *me = s->state;
    struct mqtt_job *job = mqtt_ledger_job(&me->ledger, load->stream->job);

    if (stream_is_history(load->stream))
        return ST_OK;
    if (load->rows) {
        bool is_same_slot = load->end->slot_us == job->slot_us;
        bool is_replacing =
            is_same_slot && job->outcome == POLL_PARTIAL && load->end->outcome == POLL_OK;
        result->is_duplicate = is_same_slot && !is_replacing;
        if (result->is_duplicate || load->end->slot_us < job->slot_us)
            return ST_OK;
        enum st st = mqtt_note_coins(&me->ledger, &me->address, s->is_simulated, load,
                                     &result->n_stored, err);
        if (st != ST_OK)
            return st;
        job->slot_us = load->end->slot_us;
        job->outcome = load->end->outcome;
        memcpy(job->uuid, stream->uuid, sizeof(job->uuid));
        job->end = load->end->offset;
    }
    return mqtt_note_poll(&me->ledger, &me->address, s->is_simulated, load, err);
}

static enum st mqtt_load(struct sink *s, const struct sink_load *load,
                         struct sink_result *ret_result, struct err *err)
{
    struct mqtt_sink *me = s->state;
    struct sink_result result = {0};
    char uuid[SINK_UUID_TEXT];

    sink_uuid_text(load->stream, uuid);
    enum st st = me->lock >= 0 ? ST_OK : take_ledger(me, s->url->shown, err);
    if (st != ST_OK)
        return st;
    struct mqtt_stream *stream = mqtt_ledger_stream(&me->ledger, uuid);
    st = check_fence(s, stream, load, err);
    if (st == ST_OK)
        st = note_load(s, stream, load, &result, err);
    stream->at = load->new;
    if (st == ST_OK && load->is_last)
        st = publish_due(s, err);
    if (st == ST_OK && load->is_last)
        st = mqtt_ledger_write(me->path, &me->ledger, err);
    if (st != ST_OK || load->is_last)
        release_ledger(me);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}

/* Comes each second while there is nothing to load: answers the broker, and notices when it is
 * gone, or when another one's last will says that we are. */
static enum st mqtt_tidy(struct sink *s, bool *ret_has_more, struct err *err)
{
    struct mqtt_sink *me = s->state;

    enum st st = mqtt_client_turn(me->client, err);
    if (st == ST_OK && mqtt_client_is_contradicted(me->client))
        st = say(me, "online", err);
    *ret_has_more = false;
    return st;
}

const struct sink_driver sink_mqtt = {
    .scheme = "mqtt",
    .alias = "mqtts",
    .summary = "chosen coins to an MQTT broker, for Home Assistant (mqtts: by TLS)",
    .example = "mqtt://localhost/geckotape?coins=bitcoin,ethereum",
    .state_size = sizeof(struct mqtt_sink),
    .check = mqtt_check,
    .open = mqtt_open,
    .attach = mqtt_attach,
    .load = mqtt_load,
    .tidy = mqtt_tidy,
    .close = mqtt_close,
};
