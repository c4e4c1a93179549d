/* SPDX-License-Identifier: Apache-2.0 */
#include "load/mqtt/messages.h"

#include "base/clock.h"
#include "row/market.h"

#include <inttypes.h>
#include <stdio.h>

#define EXPIRE_POLLS   3 /* a value is stale after so many intervals */
#define EXPIRE_LEAST   (60 * US_PER_S)
#define EXPIRE_MOST    (365 * 86400 * US_PER_S) /* an interval beyond it is none */
#define EXPIRE_UNKNOWN (15 * 60 * US_PER_S)     /* no next poll was promised */

/* ---- topics: whatever the text, it is one level, and no two texts are the same one ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

/* A level of a topic: what is not plain as %XX. */
static void add_level(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_plain(text.p[i]) || text.p[i] == '.' || text.p[i] == '_')
            buf_add_char(b, text.p[i]);
        else
            buf_addf(b, "%%%02X", (unsigned char)text.p[i]);
}

/* A part of Home Assistant's ids, which may have letters, digits, - and _ alone: others, and the _
 * that parts them, as _XX. */
static void add_id(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (is_plain(text.p[i]))
            buf_add_char(b, text.p[i]);
        else
            buf_addf(b, "_%02X", (unsigned char)text.p[i]);
}

static void add_root(struct buf *b, const struct mqtt_address *a, bool is_simulated)
{
    buf_addf(b, "%s%s", a->prefix, is_simulated ? "/simulated" : "");
}

void mqtt_status_topic(const struct mqtt_address *a, bool is_simulated,
                       char ret_topic[MQTT_MAX_TOPIC])
{
    snprintf(ret_topic, MQTT_MAX_TOPIC, "%s%s/status", a->prefix, is_simulated ? "/simulated" : "");
}

/* "ROOT/bitcoin/" */
static void add_coin(struct buf *b, const struct mqtt_address *a, bool is_simulated, struct str id)
{
    add_root(b, a, is_simulated);
    buf_add_char(b, '/');
    add_level(b, id);
    buf_add_char(b, '/');
}

/* "geckotape": the device, and what its sensors' ids begin with; another prefix is another device.
 */
static void add_device(struct buf *b, const struct mqtt_address *a, bool is_simulated)
{
    buf_add_z(b, "geckotape");
    if (strcmp(a->prefix, "geckotape") != 0) {
        buf_add_char(b, '_');
        add_id(b, str_of(a->prefix));
    }
    if (is_simulated)
        buf_add_z(b, "_simulated");
}

/* "geckotape_bitcoin_", what a currency is added to. */
static void add_sensor(struct buf *b, const struct mqtt_address *a, bool is_simulated,
                       struct str id)
{
    add_device(b, a, is_simulated);
    buf_add_char(b, '_');
    add_id(b, id);
    buf_add_char(b, '_');
}

static bool starts(const char *topic, const struct buf *prefix)
{
    return str_starts(str_of(topic), buf_str(prefix));
}

bool mqtt_is_discovery(const struct mqtt_address *a, const char *topic)
{
    const size_t len = a->discovery ? strlen(a->discovery) : 0;

    return len > 0 && strncmp(topic, a->discovery, len) == 0 && topic[len] == '/';
}

bool mqtt_is_wanted(const struct mqtt_address *a, bool is_simulated, const char *topic)
{
    struct buf b = BUF_INIT(MQTT_MAX_TOPIC);

    add_root(&b, a, is_simulated);
    buf_add_z(&b, "/poll/");
    bool is_wanted = starts(topic, &b);
    for (size_t i = 0; !is_wanted && i < a->n_coins; i++) {
        buf_clear(&b);
        add_coin(&b, a, is_simulated, a->coins[i]);
        is_wanted = starts(topic, &b);
        if (is_wanted || a->discovery == NULL)
            continue;
        buf_clear(&b);
        buf_addf(&b, "%s/sensor/", a->discovery);
        add_sensor(&b, a, is_simulated, a->coins[i]);
        is_wanted = starts(topic, &b);
    }
    buf_release(&b);
    return is_wanted;
}

/* ---- payloads ---- */

static void add_text(struct buf *b, const char *key, struct str value)
{
    buf_addf(b, ",\"%s\":", key);
    buf_add_json_str(b, value);
}

static void add_time(struct buf *b, const char *key, int64_t ts_us)
{
    char text[TIME_TEXT];

    time_format(ts_us, text);
    buf_addf(b, ",\"%s\":\"%s\"", key, text);
}

/* Which poll it is of: `tape cat` finds its record by job and offset. */
static void add_poll(struct buf *b, const struct sink_load *load, bool is_simulated)
{
    add_text(b, "job", str_of(load->stream->job));
    add_time(b, "slot", load->end->slot_us);
    buf_addf(b, ",\"outcome\":\"%s\",\"offset\":%" PRIu64, poll_outcome_name(load->end->outcome),
             load->end->offset);
    if (is_simulated)
        buf_add_z(b, ",\"SIMULATED\":true");
}

/* The numbers as they were sent, whatever their digits. */
static void add_state(struct buf *b, const struct cell *row, const struct sink_load *load,
                      bool is_simulated)
{
    static const enum market_column columns[] = {MARKET_ID,
                                                 MARKET_SYMBOL,
                                                 MARKET_NAME,
                                                 MARKET_CURRENT_PRICE,
                                                 MARKET_MARKET_CAP,
                                                 MARKET_MARKET_CAP_RANK,
                                                 MARKET_TOTAL_VOLUME,
                                                 MARKET_HIGH_24H,
                                                 MARKET_LOW_24H,
                                                 MARKET_PRICE_CHANGE_24H,
                                                 MARKET_PRICE_CHANGE_PERCENTAGE_24H,
                                                 MARKET_LAST_UPDATED,
                                                 MARKET_FETCHED_AT};

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        buf_addf(b, "%c\"%s\":", i == 0 ? '{' : ',', market_table.columns[columns[i]].name);
        cell_add_json(b, &row[columns[i]]);
    }
    add_text(b, "vs_currency", str_of(load->stream->vs_currency));
    add_poll(b, load, is_simulated);
    buf_add_char(b, '}');
}

/* Seconds after which a value of the poll is stale: by what the job promised, if nothing is said.
 */
static int64_t expire_s(const struct mqtt_address *a, const struct tape_record *end)
{
    int64_t interval_us, us = EXPIRE_UNKNOWN;

    if (end->next_due_us != 0 &&
        !__builtin_sub_overflow(end->next_due_us, end->slot_us, &interval_us) && interval_us > 0 &&
        interval_us < EXPIRE_MOST)
        us = EXPIRE_POLLS * interval_us;
    if (us < EXPIRE_LEAST)
        us = EXPIRE_LEAST;
    if (a->expire_us != 0)
        us = a->expire_us;
    return us / US_PER_S;
}

static void add_upper(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        buf_add_char(b, text.p[i] >= 'a' && text.p[i] <= 'z' ? (char)(text.p[i] - 'a' + 'A')
                                                             : text.p[i]);
}

/* Available: while nobody says that we died, and while the value is fresh. expire_after counts from
 * when a message came; so a state that is kept and handed out again has to be judged by its age. */
static void add_availability(struct buf *b, const char *status, const char *state, int64_t stale_s)
{
    buf_add_z(b, ",\"availability_mode\":\"all\",\"availability\":[{\"topic\":");
    buf_add_json_str(b, str_of(status));
    buf_add_z(b, ",\"value_template\":\"{{ 'offline' if value == 'offline' else 'online' }}\"}");
    buf_add_z(b, ",{\"topic\":");
    buf_add_json_str(b, str_of(state));
    buf_addf(b,
             ",\"value_template\":\"{{ 'online' if as_timestamp(now()) - "
             "as_timestamp(value_json.fetched_at) < %" PRId64
             " else 'offline' }}\"}],\"expire_after\":%" PRId64,
             stale_s, stale_s);
}

static void add_device_block(struct buf *b, const struct mqtt_address *a, bool is_simulated)
{
    buf_add_z(b, ",\"device\":{\"identifiers\":[\"");
    add_device(b, a, is_simulated);
    buf_addf(b, "\"],\"name\":\"geckotape%s\"", is_simulated ? " SIMULATED" : "");
    add_text(b, "model",
             is_simulated ? STR("SIMULATED: no market data") : STR("Data provided by CoinGecko"));
    buf_add_z(b, ",\"manufacturer\":\"geckotape\",\"sw_version\":\"" GECKOTAPE_VERSION "\"},"
                 "\"origin\":{\"name\":\"geckotape\",\"sw_version\":\"" GECKOTAPE_VERSION "\"}");
}

static void add_config(struct buf *b, const struct cell *row, const struct mqtt_address *a,
                       bool is_simulated, const struct sink_load *load, const char *sensor,
                       const char *state)
{
    char status[MQTT_MAX_TOPIC];
    struct buf name = BUF_INIT(MQTT_MAX_PAYLOAD), unit = BUF_INIT(64);

    mqtt_status_topic(a, is_simulated, status);
    add_upper(&unit, str_of(load->stream->vs_currency));
    buf_add_str(&name, cell_text(&row[MARKET_NAME]));
    buf_addf(&name, " %s", buf_z(&unit));
    buf_add_z(b, "{\"name\":");
    buf_add_json_str(b, buf_str(&name));
    add_text(b, "unique_id", str_of(sensor));
    add_text(b, "state_topic", str_of(state));
    add_text(b, "json_attributes_topic", str_of(state));
    add_text(b, "value_template", STR("{{ value_json.current_price }}"));
    add_text(b, "unit_of_measurement", buf_str(&unit));
    buf_addf(b, ",\"state_class\":\"measurement\",\"icon\":\"mdi:chart-line\",\"qos\":%d", a->qos);
    add_availability(b, status, state, expire_s(a, load->end));
    add_device_block(b, a, is_simulated);
    buf_add_char(b, '}');
    buf_release(&name);
    buf_release(&unit);
}

static enum st note_coin(struct mqtt_ledger *l, const struct mqtt_address *a, bool is_simulated,
                         const struct sink_load *load, const struct cell *row, struct err *err)
{
    struct buf state = BUF_INIT(MQTT_MAX_TOPIC - 1), sensor = BUF_INIT(MQTT_MAX_TOPIC - 1),
               topic = BUF_INIT(MQTT_MAX_TOPIC - 1), payload = BUF_INIT(MQTT_MAX_PAYLOAD);
    const struct str id = cell_text(&row[MARKET_ID]), vs = str_of(load->stream->vs_currency);
    const int64_t as_of_us = row[MARKET_FETCHED_AT].number;

    add_coin(&state, a, is_simulated, id);
    add_level(&state, vs);
    buf_add_z(&state, "/state");
    add_sensor(&sensor, a, is_simulated, id);
    add_id(&sensor, vs);
    buf_addf(&topic, "%s/sensor/%s/config", a->discovery ? a->discovery : "", buf_z(&sensor));
    add_state(&payload, row, load, is_simulated);
    enum st st = buf_check(&topic, "a topic", err);
    if (st == ST_OK)
        st = buf_check(&state, "a topic", err);
    if (st == ST_OK)
        st = buf_check(&payload, "a coin's state", err);
    bool is_newest = st == ST_OK && mqtt_ledger_note(l, buf_z(&state), buf_z(&payload), as_of_us);
    if (is_newest && a->discovery) {
        buf_clear(&payload);
        add_config(&payload, row, a, is_simulated, load, buf_z(&sensor), buf_z(&state));
        st = buf_check(&payload, "a coin's sensor", err);
        if (st == ST_OK)
            mqtt_ledger_note(l, buf_z(&topic), buf_z(&payload), as_of_us);
    }
    buf_release(&state);
    buf_release(&sensor);
    buf_release(&topic);
    buf_release(&payload);
    return st;
}

static bool is_chosen(const struct mqtt_address *a, struct str id)
{
    size_t i = 0;

    while (i < a->n_coins && !str_eq(a->coins[i], id))
        i++;
    return i < a->n_coins;
}

enum st mqtt_note_coins(struct mqtt_ledger *l, const struct mqtt_address *a, bool is_simulated,
                        const struct sink_load *load, size_t *ret_n, struct err *err)
{
    const struct rows *rows = &load->rows->rows;
    enum st st = ST_OK;

    *ret_n = 0;
    if (rows->table != &market_table)
        return ST_OK;
    for (size_t i = 0; st == ST_OK && i < rows->n; i++) {
        const struct cell *row = rows_at(rows, i);
        if (!is_chosen(a, cell_text(&row[MARKET_ID])))
            continue;
        ++*ret_n;
        st = note_coin(l, a, is_simulated, load, row, err);
    }
    return st;
}

enum st mqtt_note_poll(struct mqtt_ledger *l, const struct mqtt_address *a, bool is_simulated,
                       const struct sink_load *load, struct err *err)
{
    struct buf topic = BUF_INIT(MQTT_MAX_TOPIC - 1), payload = BUF_INIT(MQTT_MAX_PAYLOAD);
    const struct str error = load->error.len > 0 ? load->error : load->end->error;

    add_root(&topic, a, is_simulated);
    buf_add_z(&topic, "/poll/");
    add_level(&topic, str_of(load->stream->job));
    buf_addf(&payload, "{\"rows\":%zu", load->rows ? load->rows->rows.n : (size_t)0);
    add_poll(&payload, load, is_simulated);
    add_time(&payload, "finished", load->end->fetched_at_us);
    if (load->end->next_due_us != 0)
        add_time(&payload, "next_due", load->end->next_due_us);
    buf_addf(&payload, ",\"http_status\":%u", load->http_status);
    add_text(&payload, "error", error);
    buf_add_char(&payload, '}');
    enum st st = buf_check(&topic, "a topic", err);
    if (st == ST_OK)
        st = buf_check(&payload, "a poll's message", err);
    if (st == ST_OK)
        /* the one that comes last, as slots go back with a clock that was wrong */
        mqtt_ledger_note(l, buf_z(&topic), buf_z(&payload), INT64_MAX);
    buf_release(&topic);
    buf_release(&payload);
    return st;
}
