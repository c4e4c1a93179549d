/* The eight names of the program that geckotape takes the place of: COINGECKO_URL, VS_CURRENCY,
 * PER_PAGE and POSTGRES_…; and a file for its secret. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>

#define MAX_WORD 1024 /* bytes of a value in a URL, decoded */
#define MAX_SINK 1023 /* bytes of a sink's URL */

static const char *const names[] =
    {
        "COINGECKO_URL",          "VS_CURRENCY",   "PER_PAGE",          "POSTGRES_HOST",
        "POSTGRES_PORT",          "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB",
        "POSTGRES_PASSWORD_FILE", /* ours, as every secret has one */
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

bool seed_has(struct str name)
{
    for (size_t i = 0; i < N_NAMES; i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return false;
}

/* The one that wins, NULL when there is none; empty counts as not set. */
static const struct variable *find(const struct variables *v, const char *name)
{
    const struct variable *found = NULL;

    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->all[i].name, name) == 0 && v->all[i].value[0] &&
            (found == NULL || v->all[i].rank >= found->rank))
            found = &v->all[i];
    return found;
}

static void add(struct config_read *read, const char *option, struct str value, const char *place,
                int rank)
{
    /* what is looked at is what was collected; the rest is about collecting */
    if ((read->verb & (COLLECTING | VERB_ALERTS)) || strcmp(option, "vs") == 0)
        settings_add(read->settings, str_of(option), value, str_of(place), rank);
}

/* A page of the seed is all that it asked for: the top N. */
static void add_top(struct config_read *read, struct str value, const char *place, int rank)
{
    int64_t n;

    if (str_to_i64(value, 1, CONFIG_PER_PAGE, &n))
        add(read, "top", value, place, rank);
    else
        opt_problem(read->problems,
                    "%s: \"%.20s\" is not a number from 1 to %d; for more coins set GECKOTAPE_TOP",
                    place, value.len > 0 ? value.p : "", CONFIG_PER_PAGE);
}

/* What a parameter of coins/markets asks for; what cannot be had is said. */
static void add_parameter(struct config_read *read, struct str name, struct str value,
                          const char *place)
{
    static const char *const options[][2] = {
        {"vs_currency", "vs"},           {"ids", "ids"},
        {"category", "category"},        {"x_cg_demo_api_key", "api-key"},
        {"x_cg_pro_api_key", "api-key"},
    };
    static const char *const fixed[][2] = {
        {"order", "market_cap_desc"}, {"page", "1"}, {"sparkline", "false"}, {"locale", "en"}};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (str_eq(name, str_of(options[i][0]))) {
            add(read, options[i][1], value, place, RANK_URL);
            if (strcmp(options[i][1], "api-key") == 0)
                add(read, "api-plan", i == 3 ? STR("demo") : STR("pro"), place, RANK_URL);
            return;
        }
    if (str_eq(name, STR("per_page"))) {
        add_top(read, value, place, RANK_URL);
        return;
    }
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (str_eq(name, str_of(fixed[i][0])) && str_eq(value, str_of(fixed[i][1])))
            return;
    opt_warning(read->problems, "%s: %.*s is not asked for by geckotape; take it out of the URL",
                place, STR_ARG(name));
}

static void read_query(struct config_read *read, struct str query, const char *place)
{
    char text[MAX_WORD];
    struct str item, name;

    while (query.len > 0) {
        str_cut(&query, '&', &item);
        str_cut(&item, '=', &name);
        if (!str_percent_decode(item, text, sizeof(text)))
            opt_problem(read->problems, "%s: %.*s: too long, or a %% without two hex digits", place,
                        STR_ARG(name));
        else if (name.len > 0 && text[0])
            add_parameter(read, name, str_of(text), place);
    }
}

/* A base URL, or the whole of …/coins/markets?…: then the query gives defaults. */
static void read_url(struct config_read *read, const struct variable *url)
{
    static const struct str endpoint = {"/coins/markets", 14};
    struct str query = str_of(url->value), base;

    if (memchr(query.p, '#', query.len)) {
        opt_problem(read->problems, "%s: a # has no place in it; take it out", url->place);
        return;
    }
    str_cut(&query, '?', &base);
    while (base.len > 0 && base.p[base.len - 1] == '/')
        base.len--;
    bool is_endpoint =
        base.len > endpoint.len &&
        str_eq((struct str){base.p + base.len - endpoint.len, endpoint.len}, endpoint);
    if (is_endpoint)
        base.len -= endpoint.len;
    else if (query.len > 0) {
        opt_problem(read->problems,
                    "%s: only …/coins/markets may have a query; write the base of the API, like "
                    "https://api.coingecko.com/api/v3",
                    url->place);
        return;
    }
    add(read, "api-url", base, url->place, url->rank);
    read_query(read, query, url->place);
}

static const char *value_or(const struct config_read *read, const char *name, const char *fallback)
{
    const struct variable *v = find(&read->variables, name);
    return v ? v->value : fallback;
}

static void add_escaped(struct buf *b, const char *z)
{
    for (; *z; z++) {
        if (isalnum((unsigned char)*z) || strchr("-._~", *z))
            buf_add_char(b, *z);
        else
            buf_addf(b, "%%%02X", (unsigned)(unsigned char)*z);
    }
}

/* POSTGRES_PASSWORD, or the first line of the file that POSTGRES_PASSWORD_FILE names. */
static void add_password(const struct config_read *read, struct buf *url)
{
    static const struct opt_def password = {.name = "password", .is_secret = true};
    const struct variable *text = find(&read->variables, "POSTGRES_PASSWORD");
    const struct variable *file = find(&read->variables, "POSTGRES_PASSWORD_FILE");
    struct settings found = {.n = 0};

    if (text && (file == NULL || text->rank >= file->rank))
        settings_add(&found, STR("password"), str_of(text->value), STR_NONE, text->rank);
    else if (file)
        opts_from_secret_file(&password, str_of(file->value), str_of(file->place), file->rank,
                              &found, read->problems);
    if (found.n > 0) {
        buf_add_char(url, ':');
        add_escaped(url, found.all[0].value);
    }
    settings_release(&found);
}

static void add_host(const char *host, struct buf *url)
{
    if (host[0] != '[' && strchr(host, ':')) /* IPv6 */
        buf_addf(url, "[%s]", host);
    else if (host[0] == '[')
        buf_add_z(url, host);
    else
        add_escaped(url, host); /* a name, or the directory of a socket */
}

static void add_port(const struct config_read *read, struct buf *url)
{
    const struct variable *v = find(&read->variables, "POSTGRES_PORT");
    int64_t port = 5432;

    if (v && !str_to_i64(str_of(v->value), 1, 65535, &port))
        opt_problem(read->problems, "%s: \"%.20s\" is no port from 1 to 65535", v->place, v->value);
    buf_addf(url, ":%lld", (long long)port);
}

/* The seed wrote to PostgreSQL when it had these: a sink beside the default ones. */
static void read_postgres(struct config_read *read)
{
    const struct variable *host = find(&read->variables, "POSTGRES_HOST");
    struct buf list = BUF_INIT(512), url = BUF_INIT(MAX_SINK);

    for (size_t i = 0; i < N_NAMES; i++)
        if (str_starts(str_of(names[i]), STR("POSTGRES_")) && find(&read->variables, names[i]))
            buf_addf(&list, "%s%s", list.len > 0 ? ", " : "", names[i]);
    if (host == NULL && list.len > 0)
        opt_warning(read->problems, "%s: without POSTGRES_HOST they make no sink", buf_z(&list));
    if (host) {
        buf_add_z(&url, "postgres://");
        add_escaped(&url, value_or(read, "POSTGRES_USER", "postgres"));
        add_password(read, &url);
        buf_add_char(&url, '@');
        add_host(host->value, &url);
        add_port(read, &url);
        buf_add_char(&url, '/');
        add_escaped(&url,
                    value_or(read, "POSTGRES_DB", value_or(read, "POSTGRES_USER", "postgres")));
        if (url.is_overflow)
            opt_problem(read->problems, "%s: too long together", buf_z(&list));
        else
            read->seed_sink = mem_strdup(buf_z(&url));
    }
    buf_release(&url);
    buf_release(&list);
}

/* What to collect. */
static void read_job(struct config_read *read)
{
    const struct variable *vs = find(&read->variables, "VS_CURRENCY");
    if (vs)
        add(read, "vs", str_of(vs->value), vs->place, vs->rank);
    const struct variable *top = find(&read->variables, "PER_PAGE");
    if (top)
        add_top(read, str_of(top->value), top->place, top->rank);
    const struct variable *url = find(&read->variables, "COINGECKO_URL");
    if (url)
        read_url(read, url);
}

void seed_read(struct config_read *read)
{
    if (read->verb & (COLLECTING | VERB_QUERY | VERB_EXPORT | VERB_ALERTS))
        read_job(read);
    if (read->verb & (COLLECTING | VERB_MIGRATE))
        read_postgres(read);
}
