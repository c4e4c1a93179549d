/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sink_url.h"

#include "base/buf.h"

/* Refuse what would garble logs, or end a C string early. */
static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool is_letter = c >= 'a' && c <= 'z';
        bool is_other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!is_letter && (i == 0 || !is_other))
            return false;
    }
    return s.len > 0;
}

static bool is_secret(struct str name)
{
    static const char *const secrets[] = {"password", "secret", "key", "token", "passfile"};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (memmem(name.p, name.len, secrets[i], strlen(secrets[i])))
            return true;
    return false;
}

/* "//user:password@host" -> "//user:***@host". A password may have a '/' that nobody escaped: all
 * up to the last '@' is hidden. */
static void show_rest(struct buf *b, struct str rest)
{
    const bool has_host = str_starts(rest, STR("//"));
    const char *at = has_host ? memrchr(rest.p, '@', rest.len) : NULL;
    const char *colon = at ? memchr(rest.p, ':', (size_t)(at - rest.p)) : NULL;

    if (colon) {
        buf_add(b, rest.p, (size_t)(colon - rest.p) + 1);
        buf_add_z(b, "***");
        rest = (struct str){at, rest.len - (size_t)(at - rest.p)};
    }
    buf_add_str(b, rest);
}

static void show_option(struct buf *b, struct str name, struct str value, bool is_first)
{
    buf_add_char(b, is_first ? '?' : '&');
    buf_add_str(b, name);
    buf_add_char(b, '=');
    buf_add_str(b, is_secret(name) ? STR("***") : value);
}

static enum st parse_option(struct str item, struct sink_url *url, struct buf *shown,
                            struct err *err)
{
    struct sink_url_option *option = &url->options[url->n_options];
    struct str value = item, name;

    if (!str_cut(&value, '=', &name) || name.len == 0)
        /* not quoted: behind a '?' in a password it is the rest of that */
        return err_set(err, ST_REJECT,
                       "an option is written name=value; write a ? in a password as %%3F");
    if (url->n_options == SINK_URL_OPTIONS)
        return err_set(err, ST_REJECT, "more than %d options", SINK_URL_OPTIONS);
    if (!str_percent_decode(name, option->name, sizeof(option->name)))
        return err_set(err, ST_REJECT, "\"%.*s\": not the name of an option", STR_ARG(name));
    if (sink_url_option(url, option->name))
        return err_set(err, ST_REJECT, "option \"%s\" is given twice", option->name);
    if (!str_percent_decode(value, option->value, sizeof(option->value)))
        return err_set(err, ST_REJECT,
                       "option \"%s\": its value is too long, or has a %% without two hex digits "
                       "(write %%25 for %%)",
                       option->name);
    show_option(shown, name, value, url->n_options == 0);
    url->n_options++;
    return ST_OK;
}

static enum st parse_parts(struct str text, struct sink_url *url, struct buf *shown,
                           struct err *err)
{
    struct str rest = text, scheme, options, item;
    enum st st = ST_OK;

    if (!str_cut(&rest, ':', &scheme) || !is_scheme(scheme) || scheme.len >= sizeof(url->scheme))
        return err_set(err, ST_REJECT,
                       "a sink is written scheme:place, as in sqlite:./data/market.db");
    memcpy(url->scheme, scheme.p, scheme.len);
    options = rest;
    bool has_options = str_cut(&options, '?', &rest);
    if (!str_percent_decode(rest, url->rest, sizeof(url->rest)))
        return err_set(err, ST_REJECT, "has a %% without two hex digits; write %%25 for %%");
    buf_addf(shown, "%s:", url->scheme);
    show_rest(shown, rest);
    while (has_options && st == ST_OK) {
        has_options = str_cut(&options, '&', &item);
        st = parse_option(item, url, shown, err);
    }
    return st;
}

enum st sink_url_parse(struct str text, struct sink_url *ret_url, struct err *err)
{
    struct sink_url url = {.n_options = 0};
    struct buf shown = BUF_INIT(SINK_URL_MAX - 1);

    if (text.len >= sizeof(url.text))
        return err_set(err, ST_REJECT, "sink \"%.32s…\": longer than %d bytes", text.p,
                       SINK_URL_MAX - 1);
    if (has_control(text) || !str_is_utf8(text))
        return err_set(err, ST_REJECT, "a sink's URL has control characters or is not UTF-8");
    if (text.len > 0)
        memcpy(url.text, text.p, text.len);
    enum st st = parse_parts(text, &url, &shown, err);
    if (st == ST_OK)
        st = buf_check(&shown, "a sink's URL", err);
    if (st != ST_OK) { /* what was understood so far: behind it there may be a secret */
        struct str rest = text, start;
        bool is_cut = str_cut(&rest, ':', &start);
        st = shown.len > 0
                 ? err_wrap(err, st, "sink \"%s\": ", buf_z(&shown))
                 : err_wrap(err, st, "sink \"%.*s%s\": ", STR_ARG(start), is_cut ? ":…" : "");
    }
    if (st == ST_OK) {
        memcpy(url.shown, buf_z(&shown), shown.len);
        *ret_url = url;
    }
    buf_release(&shown);
    return st;
}

const char *sink_url_option(const struct sink_url *url, const char *name)
{
    for (size_t i = 0; i < url->n_options; i++)
        if (strcmp(url->options[i].name, name) == 0)
            return url->options[i].value;
    return NULL;
}

enum st sink_url_check_options(const struct sink_url *url, const char *const *known,
                               struct err *err)
{
    struct buf list = BUF_INIT(256);
    enum st st = ST_OK;

    for (size_t i = 0; known[i]; i++)
        buf_addf(&list, "%s%s", i > 0 ? ", " : "", known[i]);
    for (size_t i = 0; st == ST_OK && i < url->n_options; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], url->options[i].name) != 0)
            k++;
        if (known[k] == NULL)
            st = err_set(err, ST_REJECT, "%s: has no option \"%s\"; it has %s", url->shown,
                         url->options[i].name, list.len > 0 ? buf_z(&list) : "none");
    }
    buf_release(&list);
    return st;
}
