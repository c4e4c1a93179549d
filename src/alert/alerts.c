/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/alerts.h"

#include "alert/store.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define BACKOFF_FIRST (2 * US_PER_S)
#define BACKOFF_MAX   (5 * 60 * US_PER_S)
#define LOOK_US       US_PER_S        /* while something waits */
#define IDLE_US       (60 * US_PER_S) /* who puts something in wakes us */
#define NAP_US        (5 * US_PER_MS)
#define HASH_FIRST    UINT64_C(14695981039346656037)

/* One of the channels; rules that share it share its outages. */
struct outage {
    int64_t retry_at_us; /* monotonic; 0: it works */
    int64_t backoff_us;
};

struct alerts {
    struct alert *all;
    size_t n;
    char data_dir[FILE_MAX_PATH], path[FILE_MAX_PATH];
    int64_t budget;
    struct clock *clock;

    struct outage outages[ALERTS_MAX]; /* of the first rule with this channel */
    struct alert_store *store;         /* the delivery's connection */
    int64_t taken; /* a message that was sent, and is not out of the outbox yet; 0: none */
    struct buf text, json;

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_running;
    bool has_news;            /* guarded by lock */
    atomic_bool is_stopping;  /* … to wake up for; any thread reads it */
    atomic_bool is_cancelled; /* even what is on its way */
    atomic_bool has_left;
};

/* ---- rules ---- */

/* What may hold a secret is no word of a condition, which errors quote. */
static bool has_url(struct str text)
{
    return text.len > 0 && memmem(text.p, text.len, "://", 3) != NULL;
}

enum st alert_parse(struct str line, struct alert *ret_alert, struct err *err)
{
    struct str all = str_trim(line), when;
    struct alert alert = {.key = ""};
    size_t at = all.len;

    while (at > 0 && all.p[at - 1] != ' ')
        at--;
    const struct str to = {all.p + at, all.len - at};
    when = str_trim((struct str){all.p, at});
    if (when.len > 3 && memcmp(when.p + when.len - 3, " to", 3) == 0)
        when = str_trim((struct str){when.p, when.len - 3});
    if (when.len == 0)
        return err_set(err, ST_REJECT,
                       "an alert is a condition and where it goes; write "
                       "bitcoin.current_price < 60000 to https://…");
    if (has_url(when))
        return err_set(err, ST_REJECT,
                       "one alert goes to one channel, without blanks and at its end; write the "
                       "alert once more for another");
    if (memchr(to.p, ':', to.len) == NULL)
        return err_set(err, ST_REJECT, "where should it go? add: to https://…");
    enum st st = alert_rule_parse(when, &alert.rule, err);
    if (st == ST_OK)
        st = alert_channel_parse(to, &alert.to, err);
    if (st == ST_OK)
        *ret_alert = alert;
    return st;
}

struct alerts *alerts_new(const char *data_dir, struct clock *clock)
{
    struct alerts *a = mem_new(1, sizeof(*a));
    pthread_condattr_t monotonic;

    a->clock = clock;
    snprintf(a->data_dir, sizeof(a->data_dir), "%s", data_dir);
    snprintf(a->path, sizeof(a->path), "%.*s/alerts.db", (int)sizeof(a->path) - 12, data_dir);
    buf_init(&a->text, ALERT_TEXT_MAX);
    buf_init(&a->json, ALERT_TEXT_MAX);
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return a;
}

void alerts_free(struct alerts *a)
{
    if (a == NULL)
        return;
    alert_store_close(a->store);
    buf_release(&a->text);
    buf_release(&a->json);
    pthread_cond_destroy(&a->wake);
    pthread_mutex_destroy(&a->lock);
    mem_free(a->all);
    mem_free(a);
}

/* FNV-1a, 64 bit. */
static uint64_t add_hash(uint64_t hash, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return (hash ^ '\n') * UINT64_C(1099511628211);
}

/* Where it goes, without user, password and token: the store shall not help to guess them. */
static uint64_t hash_of_channel(const struct alert_channel *c)
{
    struct str rest = str_of(c->url), scheme;
    size_t end = strlen("//");

    str_cut(&rest, ':', &scheme);
    while (end < rest.len && memchr("/?#", rest.p[end], 3) == NULL)
        end++;
    const char *at = end < rest.len ? memrchr(rest.p, '@', end) : NULL;
    if (at)
        rest = (struct str){at, (size_t)(rest.p + rest.len - at)};
    const uint64_t hash = add_hash(add_hash(HASH_FIRST ^ (uint64_t)c->kind, scheme), rest);
    return add_hash(add_hash(hash, str_of(c->from)), str_of(c->to));
}

enum st alerts_add(struct alerts *a, const struct alert *alert, struct err *err)
{
    const uint32_t hash = (uint32_t)hash_of_channel(&alert->to);
    size_t n_same = 1;

    if (a->n == ALERTS_MAX)
        return err_set(err, ST_REJECT, "more than %d alerts", ALERTS_MAX);
    for (size_t i = 0; i < a->n; i++)
        n_same += strcmp(a->all[i].rule.when, alert->rule.when) == 0 &&
                  (uint32_t)hash_of_channel(&a->all[i].to) == hash;
    a->all = mem_grow(a->all, a->n + 1, sizeof(*a->all));
    struct alert *mine = &a->all[a->n++];
    *mine = *alert;
    snprintf(mine->key, sizeof(mine->key), "%s @%08x", mine->rule.when, (unsigned)hash);
    if (n_same > 1)
        snprintf(mine->key, sizeof(mine->key), "%s @%08x #%zu", mine->rule.when, (unsigned)hash,
                 n_same % 100);
    return ST_OK;
}

size_t alerts_count(const struct alerts *a)
{
    return a->n;
}

const struct alert *alerts_at(const struct alerts *a, size_t i)
{
    return &a->all[i];
}

const char *alerts_data_dir(const struct alerts *a)
{
    return a->data_dir;
}

const char *alerts_path(const struct alerts *a)
{
    return a->path;
}

void alerts_set_budget(struct alerts *a, int64_t calls)
{
    a->budget = calls;
}

int64_t alerts_budget(const struct alerts *a)
{
    return a->budget;
}

void alerts_fingerprint(const struct alerts *a, char ret_text[17])
{
    uint64_t hash = add_hash(HASH_FIRST, str_of(a->path));

    for (size_t i = 0; i < a->n; i++) {
        hash = add_hash(add_hash(hash, str_of(a->all[i].key)), str_of(a->all[i].to.text));
        hash = add_hash(hash, str_of(a->all[i].rule.job));
        hash = add_hash(hash, str_of(a->all[i].rule.currency));
    }
    hash = (hash ^ (uint64_t)a->budget) * UINT64_C(1099511628211);
    snprintf(ret_text, 17, "%016llx", (unsigned long long)hash);
}

/* ---- delivery ---- */

static size_t find_rule(const struct alerts *a, const char *key)
{
    size_t i = 0;

    while (i < a->n && strcmp(a->all[i].key, key) != 0)
        i++;
    return i;
}

/* The outage of a rule's channel. */
static struct outage *outage_of(struct alerts *a, size_t rule)
{
    size_t i = 0;

    while (strcmp(a->all[i].to.text, a->all[rule].to.text) != 0)
        i++;
    return &a->outages[i];
}

static void note_failure(struct alerts *a, size_t rule, const struct err *why)
{
    struct outage *o = outage_of(a, rule);

    metric_add(METRIC_ALERTS_FAILED, a->all[rule].rule.when, NULL, 1);
    if (o->retry_at_us == 0) /* an outage is logged at its start and its end */
        log_warn("alert", "an alert cannot be delivered now; it is kept, and tried again",
                 LOG_Z("rule", a->all[rule].rule.when), LOG_Z("error", why->msg));
    o->backoff_us = o->backoff_us == 0 ? BACKOFF_FIRST : 2 * o->backoff_us;
    if (o->backoff_us > BACKOFF_MAX)
        o->backoff_us = BACKOFF_MAX;
    o->retry_at_us = clock_mono_us(a->clock) + o->backoff_us;
}

static void note_success(struct alerts *a, size_t rule, const struct alert_fact *fact)
{
    struct outage *o = outage_of(a, rule);

    metric_add(METRIC_ALERTS_DELIVERED, a->all[rule].rule.when, NULL, 1);
    log_info("alert", "an alert was delivered", LOG_Z("rule", a->all[rule].rule.when),
             LOG_Z("to", a->all[rule].to.shown), LOG_Z("what", fact->said));
    *o = (struct outage){.retry_at_us = 0};
}

/* Nothing is sent before it is done: a full disk does not make one alert a hundred. */
static enum st drop_taken(struct alerts *a, struct err *err)
{
    enum st st = a->taken != 0 ? alert_store_delete(a->store, a->taken, err) : ST_OK;

    if (st == ST_OK)
        a->taken = 0;
    return st;
}

/* Send one message, and take it out of the outbox. *ret_is_sent is false in an outage. */
static enum st deliver_one(struct alerts *a, int64_t number, size_t rule,
                           const struct alert_fact *fact, bool *ret_is_sent, struct err *err)
{
    const struct alert *alert = &a->all[rule];
    struct err why = ERR_INIT;
    const int64_t now_us = clock_wall_us(a->clock);

    *ret_is_sent = false;
    if (outage_of(a, rule)->retry_at_us > clock_mono_us(a->clock))
        return ST_OK;
    alert_fact_write(&alert->rule, fact, now_us, &a->text, &a->json);
    const struct alert_message message = {.id = fact->id,
                                          .subject = buf_str(&a->text),
                                          .text = buf_str(&a->text),
                                          .json = buf_str(&a->json),
                                          .now_us = now_us};
    if (alert_channel_send(&alert->to, &message, &a->is_cancelled, &why) != ST_OK) {
        if (!atomic_load(&a->is_cancelled))
            note_failure(a, rule, &why);
        return ST_OK;
    }
    *ret_is_sent = true;
    note_success(a, rule, fact);
    a->taken = number;
    return drop_taken(a, err);
}

/* Once through the outbox. *ret_n_left: what nobody took. */
static enum st deliver(struct alerts *a, size_t *ret_n_left, struct err *err)
{
    char key[ALERT_KEY_MAX];
    struct alert_fact fact;
    int64_t number = 0;
    enum st st = a->store ? ST_OK : alert_store_open(a->path, &a->store, err);

    *ret_n_left = 0;
    if (st == ST_OK)
        st = drop_taken(a, err);
    while (st == ST_OK && !atomic_load(&a->is_cancelled)) {
        bool is_sent = false;
        st = alert_store_next(a->store, number, &number, key, &fact, err);
        if (st != ST_OK || number == 0)
            break;
        const size_t rule = find_rule(a, key);
        if (rule < a->n)
            st = deliver_one(a, number, rule, &fact, &is_sent, err);
        *ret_n_left += !is_sent;
    }
    return st;
}

/* Sleep until there is news or something to try again. */
static void wait_for_news(struct alerts *a, int64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(us / US_PER_S);
    pthread_mutex_lock(&a->lock);
    while (!a->has_news && !atomic_load(&a->is_stopping) &&
           pthread_cond_timedwait(&a->wake, &a->lock, &until) == 0)
        ;
    a->has_news = false;
    pthread_mutex_unlock(&a->lock);
}

static void *deliver_main(void *arg)
{
    struct alerts *a = arg;
    int64_t wait_us = IDLE_US; /* at first: the sink makes the file, and then wakes us */
    bool is_down = false;

    for (bool is_last = false; !is_last;) {
        struct err err = ERR_INIT;
        size_t n_left;
        wait_for_news(a, wait_us);
        is_last = atomic_load(&a->is_stopping); /* seen before the round: nothing comes after it */
        enum st st = deliver(a, &n_left, &err);
        if (st != ST_OK && !is_down)
            log_warn("alert", "the outbox cannot be read or written now; it is tried again",
                     LOG_Z("error", err.msg));
        if (st == ST_OK && is_down)
            log_info("alert", "the outbox works again");
        is_down = st != ST_OK;
        wait_us = st != ST_OK || n_left > 0 ? LOOK_US : IDLE_US;
    }
    atomic_store(&a->has_left, true);
    return NULL;
}

enum st alerts_start(struct alerts *a, struct err *err)
{
    int rc = pthread_create(&a->thread, NULL, deliver_main, a);

    if (rc != 0)
        return err_sys(err, ST_FATAL, rc, "start a thread");
    a->is_running = true;
    return ST_OK;
}

void alerts_wake(struct alerts *a)
{
    pthread_mutex_lock(&a->lock);
    a->has_news = true;
    pthread_cond_broadcast(&a->wake);
    pthread_mutex_unlock(&a->lock);
}

void alerts_stop(struct alerts *a, int64_t deadline_us)
{
    if (a == NULL || !a->is_running)
        return;
    atomic_store(&a->is_stopping, true);
    alerts_wake(a);
    while (!atomic_load(&a->has_left) && clock_mono_us(a->clock) < deadline_us)
        nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    atomic_store(&a->is_cancelled, true);
    pthread_join(a->thread, NULL);
    a->is_running = false;
    alert_store_close(a->store); /* a reload keeps who was stopped, without its files */
    a->store = NULL;
}

enum st alerts_flush(struct alerts *a, struct err *err)
{
    size_t n_left;

    enum st st = deliver(a, &n_left, err);
    if (st == ST_OK && n_left > 0)
        st =
            err_set(err, ST_AGAIN, "%zu alert%s could not be delivered, and wait for the next time",
                    n_left, n_left == 1 ? "" : "s");
    return st;
}
