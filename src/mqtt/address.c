/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt/address.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdio.h>

#define MAX_PASSFILE 1024 /* bytes */

static bool copy(struct str s, char *ret, size_t size)
{
    return str_percent_decode(s, ret, size);
}

/* A part of a topic that is given by hand. A '$' in front is the broker's own. */
static bool is_topic(const char *text)
{
    const size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f || text[i] == '+' || text[i] == '#')
            return false;
    return len > 0 && text[0] != '/' && text[0] != '$' && text[len - 1] != '/' &&
           strstr(text, "//") == NULL && str_is_utf8(str_of(text));
}

static enum st parse_user(struct str user, struct mqtt_address *a, const char *shown,
                          struct err *err)
{
    struct str password = user, name;

    bool has_password = str_cut(&password, ':', &name);
    if (!copy(name, a->user, sizeof(a->user)) || a->user[0] == '\0' ||
        (has_password && !copy(password, a->password, sizeof(a->password))))
        return err_set(
            err, ST_REJECT,
            "%s: user or password is empty, too long, or has a %% without two hex digits", shown);
    return ST_OK;
}

static enum st parse_host(struct str host, struct mqtt_address *a, const char *shown,
                          struct err *err)
{
    int64_t port = a->is_tls ? 8883 : 1883;
    struct str name = host, rest = STR_NONE;

    if (str_starts(host, STR("["))) {
        rest = (struct str){host.p + 1, host.len - 1};
        if (!str_cut(&rest, ']', &name) || (rest.len > 0 && rest.p[0] != ':'))
            name = STR_NONE;
        else if (rest.len > 0)
            rest = (struct str){rest.p + 1, rest.len - 1};
    } else {
        rest = host;
        str_cut(&rest, ':', &name);
    }
    if (!copy(name, a->host, sizeof(a->host)) || a->host[0] == '\0')
        return err_set(err, ST_REJECT, "%s: names no host, as mqtt://localhost/geckotape does",
                       shown);
    if (rest.len > 0 && !str_to_i64(rest, 1, 65535, &port))
        return err_set(
            err, ST_REJECT,
            "%s: a port is 1 to 65535; in a password write %%2F for /, %%3A for :", shown);
    a->port = (int)port;
    return ST_OK;
}

/* Of the text, not of what is decoded: a password may have any character that is escaped. */
static enum st parse_place(const struct sink_url *url, struct mqtt_address *a, struct err *err)
{
    struct str rest = str_of(url->text), head, authority;

    str_cut(&rest, ':', &head);
    str_cut(&rest, '?', &head);
    if (!str_starts(head, STR("//")))
        return err_set(err, ST_REJECT, "%s: is written mqtt://host/prefix?coins=bitcoin",
                       url->shown);
    rest = (struct str){head.p + 2, head.len - 2};
    str_cut(&rest, '/', &authority);
    if (rest.len > 0 && memchr(rest.p, '@', rest.len))
        return err_set(err, ST_REJECT, "%s: write %%2F for / in a password, %%40 for @ in a prefix",
                       url->shown);
    const char *at = authority.len > 0 ? memrchr(authority.p, '@', authority.len) : NULL;
    enum st st = ST_OK;
    if (at) {
        const size_t len = (size_t)(at - authority.p);
        st = parse_user((struct str){authority.p, len}, a, url->shown, err);
        authority = (struct str){at + 1, authority.len - len - 1};
    }
    if (st == ST_OK)
        st = parse_host(authority, a, url->shown, err);
    if (st != ST_OK)
        return st;
    if (rest.len == 0 && a->prefix[0] == '\0')
        return err_set(err, ST_REJECT,
                       "%s: names no topic, as mqtt://localhost/geckotape/alerts does", url->shown);
    if ((rest.len > 0 && !copy(rest, a->prefix, sizeof(a->prefix))) || !is_topic(a->prefix))
        return err_set(err, ST_REJECT,
                       "%s: a prefix is at most 255 bytes without +, #, blanks, or / at its ends",
                       url->shown);
    return ST_OK;
}

static enum st parse_coins(const struct sink_url *url, struct mqtt_address *a, struct err *err)
{
    struct str rest = str_of(sink_url_option(url, "coins")), id;
    bool has_more = rest.len > 0;

    while (has_more) {
        has_more = str_cut(&rest, ',', &id);
        id = str_trim(id);
        if (id.len == 0)
            continue;
        if (a->n_coins == MQTT_MAX_COINS)
            return err_set(err, ST_REJECT, "%s: coins: at most %d", url->shown, MQTT_MAX_COINS);
        a->coins[a->n_coins++] = id;
    }
    if (a->n_coins == 0)
        return err_set(err, ST_REJECT,
                       "%s: coins names those to show, by CoinGecko's ids, as "
                       "coins=bitcoin,ethereum",
                       url->shown);
    return ST_OK;
}

static enum st parse_number(const struct sink_url *url, const char *name, int64_t min, int64_t max,
                            int *value, struct err *err)
{
    const char *text = sink_url_option(url, name);
    int64_t number = *value;

    if (text && !str_to_i64(str_of(text), min, max, &number))
        return err_set(err, ST_REJECT, "%s: %s is %lld to %lld", url->shown, name, (long long)min,
                       (long long)max);
    *value = (int)number;
    return ST_OK;
}

static enum st parse_times(const struct sink_url *url, struct mqtt_address *a, struct err *err)
{
    const char *expire = sink_url_option(url, "expire"),
               *keepalive = sink_url_option(url, "keepalive");
    int64_t keepalive_us = 60 * US_PER_S;

    if (expire && (!duration_parse(str_of(expire), &a->expire_us) || a->expire_us < US_PER_S ||
                   a->expire_us > 365 * 86400 * US_PER_S))
        return err_set(err, ST_REJECT, "%s: expire is a duration, as 5m, up to 365d", url->shown);
    if (keepalive && (!duration_parse(str_of(keepalive), &keepalive_us) ||
                      keepalive_us < 5 * US_PER_S || keepalive_us > 3600 * US_PER_S))
        return err_set(err, ST_REJECT, "%s: keepalive is 5s to 1h", url->shown);
    a->keepalive_s = (int)(keepalive_us / US_PER_S);
    return ST_OK;
}

static enum st parse_discovery(const struct sink_url *url, struct mqtt_address *a, struct err *err)
{
    const char *discovery = sink_url_option(url, "discovery");

    a->discovery = discovery ? discovery : "homeassistant";
    if (strcmp(a->discovery, "off") == 0)
        a->discovery = NULL;
    else if (!is_topic(a->discovery))
        return err_set(err, ST_REJECT,
                       "%s: discovery is off, or the prefix that Home Assistant looks at "
                       "(homeassistant)",
                       url->shown);
    return ST_OK;
}

static enum st parse_options(const struct sink_url *url, enum mqtt_use use, struct mqtt_address *a,
                             struct err *err)
{
    int retain = use == MQTT_SINK;

    a->qos = 1;
    a->version = 5;
    a->ca_file = sink_url_option(url, "cafile");
    a->cert_file = sink_url_option(url, "certfile");
    a->key_file = sink_url_option(url, "keyfile");
    a->pass_file = sink_url_option(url, "passfile");
    if (!a->is_tls && (a->ca_file || a->cert_file || a->key_file))
        return err_set(err, ST_REJECT,
                       "%s: cafile, certfile and keyfile are for mqtts:", url->shown);
    if (!a->cert_file != !a->key_file)
        return err_set(err, ST_REJECT, "%s: certfile and keyfile go together", url->shown);
    if (a->pass_file && (a->user[0] == '\0' || a->password[0] != '\0'))
        return err_set(err, ST_REJECT, "%s: passfile needs a user in the URL, and no password",
                       url->shown);
    enum st st = parse_number(url, "qos", use == MQTT_ALERTS, 2, &a->qos, err);
    if (st == ST_OK)
        st = parse_number(url, "retain", 0, 1, &retain, err);
    if (st == ST_OK)
        st = parse_number(url, "version", 3, 5, &a->version, err);
    if (st == ST_OK && a->version == 4)
        st = err_set(err, ST_REJECT, "%s: version is 5 or 3 (3.1.1)", url->shown);
    a->is_retained = retain == 1;
    return st == ST_OK ? parse_times(url, a, err) : st;
}

enum st mqtt_address_parse(const struct sink_url *url, enum mqtt_use use,
                           struct mqtt_address *ret_address, struct err *err)
{
    static const char *const known[] = {"coins",    "discovery", "expire",   "keepalive",
                                        "retain",   "qos",       "version",  "cafile",
                                        "certfile", "keyfile",   "passfile", NULL};
    enum { OF_SINKS = 4 }; /* of these, in front; a connection of alerts is kept for nobody */
    struct mqtt_address a = {.is_tls = strcmp(url->scheme, "mqtts") == 0};

    enum st st = sink_url_check_options(url, use == MQTT_SINK ? known : known + OF_SINKS, err);
    if (use == MQTT_SINK)
        snprintf(a.prefix, sizeof(a.prefix), "geckotape");
    if (st == ST_OK)
        st = parse_place(url, &a, err);
    if (st == ST_OK)
        st = parse_options(url, use, &a, err);
    if (st == ST_OK && use == MQTT_SINK)
        st = parse_discovery(url, &a, err);
    if (st == ST_OK && use == MQTT_SINK)
        st = parse_coins(url, &a, err);
    if (st == ST_OK)
        *ret_address = a;
    return st;
}

enum st mqtt_address_read_password(const struct sink_url *url, struct mqtt_address *a,
                                   struct err *err)
{
    struct buf text = BUF_INIT(MAX_PASSFILE);

    if (a->pass_file == NULL)
        return ST_OK;
    enum st st = file_read(a->pass_file, &text, err);
    struct str rest = buf_str(&text), line;
    str_cut(&rest, '\n', &line);
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    if (st == ST_OK && (line.len == 0 || line.len >= sizeof(a->password)))
        st =
            err_set(err, ST_REJECT, "%s: passfile holds no password in its first line", url->shown);
    if (st == ST_OK) {
        memcpy(a->password, line.p, line.len);
        a->password[line.len] = '\0';
    }
    buf_release(&text);
    return st;
}
