/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/message.h"

#include "base/clock.h"

#include <stdio.h>

/* A span for people, whole seconds: "1h 5m". */
static void add_span(struct buf *b, int64_t us)
{
    static const struct {
        const char *unit;
        int64_t s;
    } units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    int64_t left = us / US_PER_S;
    size_t n = 0;

    for (size_t i = 0; i < 4 && n < 2; i++) {
        if (left < units[i].s && !(i == 3 && n == 0))
            continue;
        buf_addf(b, "%s%lld%s", n > 0 ? " " : "", (long long)(left / units[i].s), units[i].unit);
        left %= units[i].s;
        n++;
    }
}

static void add_time(struct buf *b, int64_t us)
{
    char text[TIME_TEXT];

    time_format(us - us % US_PER_S, text);
    buf_add_z(b, text);
}

/* Rounded, for the eye alone: the judgement was exact. */
static void add_change(struct buf *b, struct dec value, struct dec before)
{
    bool is_same;
    const double now = dec_to_double(value, STR_NONE, &is_same);
    const double then = dec_to_double(before, STR_NONE, &is_same);

    buf_addf(b, "%+.2f%%", (now - then) / then * 100);
}

void alert_fact_say(const struct alert_rule *rule, const struct alert_event *event, int64_t budget,
                    struct alert_fact *fact)
{
    struct buf b = BUF_INIT(sizeof(fact->said) - 1);
    const char *unit = fact->currency;

    fact->at_us = event->at_us;
    fact->value[0] = fact->before[0] = '\0';
    if (rule->kind == ALERT_VALUE || rule->kind == ALERT_CHANGE || rule->kind == ALERT_BUDGET)
        dec_format(event->value, fact->value);
    switch (rule->kind) {
    case ALERT_VALUE:
        buf_addf(&b, "%s%s%s", fact->value, unit[0] ? " " : "", unit);
        break;
    case ALERT_CHANGE:
        dec_format(event->before.value, fact->before);
        add_change(&b, event->value, event->before.value);
        buf_addf(&b, " to %s %s, was %s at ", fact->value, unit, fact->before);
        add_time(&b, event->before.at_us);
        break;
    case ALERT_STALE:
        buf_add_z(&b, "last updated ");
        add_time(&b, event->from_us);
        buf_add_z(&b, ", ");
        add_span(&b, event->late_us);
        buf_add_z(&b, " old");
        break;
    case ALERT_GAP:
        buf_add_z(&b, "no poll from ");
        add_time(&b, event->from_us);
        buf_add_z(&b, " for ");
        add_span(&b, event->late_us);
        break;
    case ALERT_BUDGET:
        buf_addf(&b, "%s of %lld calls are left", fact->value, (long long)budget);
        break;
    }
    snprintf(fact->said, sizeof(fact->said), "%s", buf_z(&b));
    buf_release(&b);
}

static void add_text(const struct alert_rule *rule, const struct alert_fact *fact, int64_t age_us,
                     struct buf *b)
{
    buf_addf(b, "%s%s: %s at ", fact->is_simulated ? "SIMULATED: " : "", rule->when, fact->said);
    add_time(b, fact->at_us);
    if (fact->job[0] && rule->kind != ALERT_GAP)
        buf_addf(b, ", job %s", fact->job);
    if (age_us > ALERT_OLD_US) {
        buf_add_z(b, " (told ");
        add_span(b, age_us);
        buf_add_z(b, " later");
        if (fact->n_earlier > 0)
            buf_addf(b, ", the last of %lld in that time", (long long)fact->n_earlier + 1);
        buf_add_char(b, ')');
    }
}

static void add_json_text(struct buf *b, const char *key, const char *value)
{
    buf_addf(b, ", \"%s\": ", key);
    buf_add_json_str(b, str_of(value));
}

static void add_json_number(struct buf *b, const char *key, const char *digits)
{
    buf_addf(b, ", \"%s\": %s", key, digits[0] ? digits : "null");
}

static void add_json(const struct alert_rule *rule, const struct alert_fact *fact, int64_t age_us,
                     struct str text, struct buf *b)
{
    char at[TIME_TEXT], limit[DEC_MAX_TEXT] = "", span[TIME_TEXT];

    time_format(fact->at_us, at);
    buf_add_z(b, "{\"id\": ");
    buf_add_json_str(b, str_of(fact->id));
    buf_add_z(b, ", \"text\": ");
    buf_add_json_str(b, text);
    add_json_text(b, "when", rule->when);
    add_json_text(b, "what", alert_rule_what(rule));
    add_json_text(b, "coin", rule->coin);
    add_json_text(b, "currency", fact->currency);
    add_json_text(b, "job", fact->job);
    add_json_text(b, "at", at);
    add_json_text(b, "said", fact->said);
    add_json_number(b, "value", fact->value);
    add_json_number(b, "before", fact->before);
    if (rule->limit_us > 0) {
        duration_format(rule->limit_us, span);
        add_json_text(b, "threshold", span);
    } else {
        dec_format(rule->limit, limit);
        add_json_number(b, "threshold", limit);
    }
    buf_addf(b, ", \"simulated\": %s, \"age_s\": %lld, \"earlier\": %lld}",
             fact->is_simulated ? "true" : "false", (long long)(age_us / US_PER_S),
             (long long)fact->n_earlier);
}

void alert_fact_write(const struct alert_rule *rule, const struct alert_fact *fact, int64_t now_us,
                      struct buf *text, struct buf *json)
{
    const int64_t age_us = now_us > fact->at_us ? now_us - fact->at_us : 0;

    buf_clear(text);
    buf_clear(json);
    add_text(rule, fact, age_us, text);
    add_json(rule, fact, age_us, buf_str(text), json);
}
