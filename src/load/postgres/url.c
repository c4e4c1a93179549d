/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/url.h"

#include "base/buf.h"
#include "base/mem.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const ours[] = {"schema", "partition", "migrate", "raw"};
#define N_OURS (sizeof(ours) / sizeof(ours[0]))

static bool is_ours(struct str name)
{
    for (size_t i = 0; i < N_OURS; i++)
        if (str_eq(name, str_of(ours[i])))
            return true;
    return false;
}

/* A name that needs no quotes anywhere, so that people can type it. */
static bool is_plain_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n < POSTGRES_MAX_NAME && name[n] == '\0' && (name[0] < '0' || name[0] > '9') &&
           strncmp(name, "pg_", 3) != 0 && strcmp(name, "information_schema") != 0 &&
           strcmp(name, "public") != 0;
}

/* Which of some words, of at most three? Without the option n_words. */
static enum st read_choice(const struct sink_url *url, const char *option, const char *const *words,
                           size_t n_words, size_t *ret_choice, struct err *err)
{
    const char *value = sink_url_option(url, option);
    size_t i = 0;

    while (i < n_words && value && strcmp(value, words[i]) != 0)
        i++;
    *ret_choice = value ? i : n_words;
    if (value == NULL || i < n_words)
        return ST_OK;
    return err_set(err, ST_REJECT, "%s: %s is %s%s%s or %s", url->shown, option, words[0],
                   n_words > 2 ? ", " : "", n_words > 2 ? words[1] : "", words[n_words - 1]);
}

static enum st read_switch(const struct sink_url *url, const char *option, bool *value,
                           struct err *err)
{
    static const char *const words[] = {"on", "off"};
    size_t choice;

    enum st st = read_choice(url, option, words, 2, &choice, err);
    if (st == ST_OK && choice < 2)
        *value = choice == 0;
    return st;
}

const char *const postgres_layout_names[N_LAYOUTS] = {"", "month", "day", "coin-hash"};

static enum st read_layout(const struct sink_url *url, enum postgres_layout *ret_layout,
                           struct err *err)
{
    const size_t first = LAYOUT_MONTH, n = N_LAYOUTS - LAYOUT_MONTH;
    size_t choice;

    enum st st = read_choice(url, "partition", postgres_layout_names + first, n, &choice, err);
    if (st == ST_OK && choice < n)
        *ret_layout = (enum postgres_layout)(first + choice);
    return st;
}

static enum st read_ours(const struct sink_url *url, struct postgres_url *ret, struct err *err)
{
    const char *schema = sink_url_option(url, "schema");

    snprintf(ret->schema, sizeof(ret->schema), "%s", schema ? schema : "geckotape");
    if (schema && !is_plain_name(schema))
        return err_set(err, ST_REJECT,
                       "%s: schema is a name of small letters, digits and _, at most %d, and not "
                       "public or one of PostgreSQL's own",
                       url->shown, POSTGRES_MAX_NAME - 1);
    ret->may_migrate = true;
    enum st st = read_layout(url, &ret->layout, err);
    if (st == ST_OK)
        st = read_switch(url, "raw", &ret->has_raw, err);
    if (st == ST_OK)
        st = read_switch(url, "migrate", &ret->may_migrate, err);
    return st;
}

/* The URI without our options: libpq refuses those it does not know. */
static void write_uri(struct buf *uri, const struct sink_url *url)
{
    struct str options = str_of(url->text), head, item;
    bool has_options = str_cut(&options, '?', &head);
    char separator = '?';

    buf_add_str(uri, head);
    while (has_options) {
        struct str rest, name;
        has_options = str_cut(&options, '&', &item);
        rest = item;
        str_cut(&rest, '=', &name);
        if (is_ours(name))
            continue;
        buf_add_char(uri, separator);
        buf_add_str(uri, item);
        separator = '&';
    }
}

/* libpq's words may hold the whole URI with its password: only those about a name are passed on. */
static enum st refuse(const struct sink_url *url, const char *why, struct err *err)
{
    static const char unknown[] = "invalid URI query parameter: ";
    struct str name = str_of(why ? why : "");

    if (str_starts(name, (struct str){unknown, sizeof(unknown) - 1})) {
        name = str_trim((struct str){name.p + sizeof(unknown) - 1, name.len - sizeof(unknown) + 1});
        return err_set(err, ST_REJECT,
                       "%s: has no option %.*s; it has schema, partition, raw, migrate and those "
                       "of libpq (sslmode, connect_timeout, passfile …)",
                       url->shown, STR_ARG(name));
    }
    return err_set(err, ST_REJECT,
                   "%s: not a URI as postgres://user@host:5432/database; in a user or password "
                   "write / as %%2F, @ as %%40, : as %%3A, ? as %%3F",
                   url->shown);
}

/* Ours where neither the URI nor the environment says anything: a connection that hangs must not
 * hang for ever. */
static const struct {
    const char *keyword, *value;
} defaults[] = {
    {"connect_timeout", "10"},
    {"keepalives_idle", "30"},
    {"keepalives_interval", "10"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "30000"},
    {"target_session_attrs", "read-write"},
    {"fallback_application_name", "geckotape"},
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static const char *default_of(const PQconninfoOption *option, bool is_reader)
{
    if (option->envvar && getenv(option->envvar))
        return NULL;
    if (is_reader && strcmp(option->keyword, "target_session_attrs") == 0)
        return "any";
    for (size_t i = 0; i < N_DEFAULTS; i++)
        if (strcmp(defaults[i].keyword, option->keyword) == 0)
            return defaults[i].value;
    return NULL;
}

static void keep_options(const PQconninfoOption *options, bool is_reader, struct postgres_url *ret)
{
    size_t n = 0, max = 0;

    while (options[max].keyword)
        max++;
    ret->keywords = mem_new(max + 1, sizeof(char *));
    ret->values = mem_new(max + 1, sizeof(char *));
    for (size_t i = 0; i < max; i++) {
        const char *value = options[i].val ? options[i].val : default_of(&options[i], is_reader);
        if (strcmp(options[i].keyword, "client_encoding") == 0)
            value = "UTF8"; /* what every text here is */
        if (value == NULL)
            continue;
        ret->keywords[n] = mem_strdup(options[i].keyword);
        ret->values[n++] = mem_strdup(value);
    }
}

/* libpq reads on as a port what stands behind a colon up to a slash, which may be of a password,
 * and would show it when it connects. */
static bool has_ports(const PQconninfoOption *options)
{
    while (options->keyword && strcmp(options->keyword, "port") != 0)
        options++;
    return options->val == NULL || options->val[strspn(options->val, "0123456789,")] == '\0';
}

enum st postgres_url_read(const struct sink_url *url, bool is_reader, struct postgres_url *ret,
                          struct err *err)
{
    struct buf uri = BUF_INIT(SINK_URL_MAX);
    char *why = NULL;

    *ret = (struct postgres_url){.keywords = NULL};
    if (strncmp(url->rest, "//", 2) != 0)
        return refuse(url, NULL, err);
    enum st st = read_ours(url, ret, err);
    if (st != ST_OK)
        return st;
    write_uri(&uri, url);
    PQconninfoOption *options = PQconninfoParse(buf_z(&uri), &why);
    if (options && has_ports(options))
        keep_options(options, is_reader, ret);
    else
        st = refuse(url, why, err);
    PQconninfoFree(options);
    PQfreemem(why);
    buf_release(&uri);
    return st;
}

static char **copy_texts(char *const *texts)
{
    size_t n = 0;

    while (texts[n])
        n++;
    char **copy = mem_new(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = mem_strdup(texts[i]);
    return copy;
}

struct postgres_url postgres_url_copy(const struct postgres_url *url)
{
    struct postgres_url copy = *url;

    copy.keywords = copy_texts(url->keywords);
    copy.values = copy_texts(url->values);
    return copy;
}

void postgres_url_release(struct postgres_url *url)
{
    for (size_t i = 0; url->keywords && url->keywords[i]; i++) {
        mem_free(url->keywords[i]);
        mem_free(url->values[i]);
    }
    mem_free(url->keywords);
    mem_free(url->values);
    *url = (struct postgres_url){.keywords = NULL};
}
