/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/channel.h"

#include "alert/by_mqtt.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MS         30000L
#define CONNECT_TIMEOUT_MS 10000L
#define QUIT_S             1L
#define MAX_MAIL           ((size_t)64 * 1024)

#if LIBCURL_VERSION_NUM >= 0x080200
#define MAIL_RCPT_ALLOWFAILS CURLOPT_MAIL_RCPT_ALLOWFAILS
#else /* its first spelling */
#define MAIL_RCPT_ALLOWFAILS CURLOPT_MAIL_RCPT_ALLLOWFAILS
#endif

static const struct {
    const char *scheme;
    enum alert_channel_kind kind;
} schemes[] = {
    {"http://", CHANNEL_WEBHOOK},   {"https://", CHANNEL_WEBHOOK}, {"ntfy://", CHANNEL_NTFY},
    {"ntfy+http://", CHANNEL_NTFY}, {"slack:", CHANNEL_SLACK},     {"smtp://", CHANNEL_SMTP},
    {"smtps://", CHANNEL_SMTP},     {"mqtt://", CHANNEL_MQTT},     {"mqtts://", CHANNEL_MQTT},
};

/* ---- reading ---- */

/* A part of a URL; "" when it is not there, false when it is too long. */
static bool get_part(CURLU *url, CURLUPart part, unsigned flags, char *ret, size_t size)
{
    char *text = NULL;
    bool fits = true;

    ret[0] = '\0';
    if (curl_url_get(url, part, &text, flags) == CURLUE_OK)
        fits = (size_t)snprintf(ret, size, "%s", text) < size;
    curl_free(text);
    return fits;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

/* One of the query's values, decoded; "" when it is not there. */
static bool get_option(const char *query, const char *name, char *ret, size_t size)
{
    struct str rest = str_of(query), item;

    ret[0] = '\0';
    while (rest.len > 0) {
        struct str key;
        str_cut(&rest, '&', &item);
        if (str_cut(&item, '=', &key) && str_eq(key, str_of(name)))
            return str_percent_decode(item, ret, size) && !has_control(ret);
    }
    return true;
}

static enum st read_ntfy(CURLU *url, struct alert_channel *c, const char *query, struct err *err)
{
    char scheme[32], host[128], port[16], path[256];

    bool fits = get_part(url, CURLUPART_SCHEME, CURLU_NON_SUPPORT_SCHEME, scheme, sizeof(scheme)) &&
                get_part(url, CURLUPART_HOST, 0, host, sizeof(host)) &&
                get_part(url, CURLUPART_PORT, 0, port, sizeof(port)) &&
                get_part(url, CURLUPART_PATH, 0, path, sizeof(path)) &&
                get_option(query, "token", c->token, sizeof(c->token));
    if (!fits)
        return err_set(err, ST_REJECT, "a part of it is too long, or has control characters");
    const bool is_plain = strcmp(scheme, "ntfy+http") == 0, has_topic = strlen(path) > 1;
    if (!has_topic && (port[0] || is_plain))
        return err_set(err, ST_REJECT, "the topic lacks; write ntfy://host/topic, or ntfy://topic");
    snprintf(c->url, sizeof(c->url), "%s://%s%s%s%s%s", is_plain ? "http" : "https",
             has_topic ? host : "ntfy.sh", has_topic && port[0] ? ":" : "", has_topic ? port : "",
             has_topic ? "" : "/", has_topic ? path : host);
    return ST_OK;
}

/* At least one, and at most so many; empty ones between commas do not count. */
static bool has_addresses(const char *text, size_t max)
{
    struct str rest = str_of(text), one;
    size_t n = 0;

    while (rest.len > 0) {
        str_cut(&rest, ',', &one);
        one = str_trim(one);
        if (one.len == 0)
            continue;
        const char *at = memchr(one.p, '@', one.len);
        if (at == NULL || at == one.p || at == one.p + one.len - 1)
            return false;
        for (size_t i = 0; i < one.len; i++)
            if (strchr(" <>\"(),:;", one.p[i]))
                return false;
        n++;
    }
    return n > 0 && n <= max;
}

static enum st read_smtp(CURLU *url, struct alert_channel *c, const char *query, struct err *err)
{
    char host[128], port[16];

    bool fits = get_part(url, CURLUPART_HOST, 0, host, sizeof(host)) &&
                get_part(url, CURLUPART_PORT, 0, port, sizeof(port)) &&
                get_option(query, "from", c->from, sizeof(c->from)) &&
                get_option(query, "to", c->to, sizeof(c->to));
    if (!fits)
        return err_set(err, ST_REJECT, "a part of it is too long, or has control characters");
    if (!has_addresses(c->from, 1) || !has_addresses(c->to, SIZE_MAX))
        return err_set(err, ST_REJECT,
                       "who writes to whom? smtp://host/?from=me@example.org&to=you@example.org: "
                       "plain addresses, without names, blanks or <>; of to several, by commas");
    snprintf(c->url, sizeof(c->url), "%s://%s%s%s/geckotape",
             str_starts(str_of(c->text), STR("smtps:")) ? "smtps" : "smtp", host,
             port[0] ? ":" : "", port);
    return ST_OK;
}

/* "https://hooks.example/…": where it goes, without what only we may know. */
static void show(CURLU *url, struct alert_channel *c)
{
    char host[128], port[16], scheme[32];

    get_part(url, CURLUPART_SCHEME, CURLU_NON_SUPPORT_SCHEME, scheme, sizeof(scheme));
    get_part(url, CURLUPART_HOST, 0, host, sizeof(host));
    get_part(url, CURLUPART_PORT, 0, port, sizeof(port));
    const bool is_topic = c->kind == CHANNEL_NTFY && strstr(c->url, "://ntfy.sh/");
    snprintf(c->shown, sizeof(c->shown), "%s%s://%.90s%s%s/…",
             c->kind == CHANNEL_SLACK ? "slack:" : "", scheme, is_topic ? "ntfy.sh" : host,
             port[0] ? ":" : "", port);
}

static enum st read_url(CURLU *url, struct alert_channel *c, struct err *err)
{
    const char *text = c->text + (c->kind == CHANNEL_SLACK ? strlen("slack:") : 0);
    char query[ALERT_URL_MAX];
    enum st st = ST_OK;

    if (c->kind == CHANNEL_SLACK && !str_starts(str_of(text), STR("http")))
        return err_set(err, ST_REJECT, "behind slack: stands the URL of an incoming webhook");
    if (url == NULL ||
        curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return err_set(err, ST_REJECT,
                       "it is no URL; write a @, : or / in a password as %%40, "
                       "%%3A or %%2F");
    if (!get_part(url, CURLUPART_USER, CURLU_URLDECODE, c->user, sizeof(c->user)) ||
        !get_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, c->password, sizeof(c->password)) ||
        !get_part(url, CURLUPART_QUERY, 0, query, sizeof(query)))
        return err_set(err, ST_REJECT, "a part of it is too long");
    snprintf(c->url, sizeof(c->url), "%s", text);
    if (c->kind == CHANNEL_NTFY)
        st = read_ntfy(url, c, query, err);
    if (c->kind == CHANNEL_SMTP)
        st = read_smtp(url, c, query, err);
    if (st == ST_OK)
        show(url, c);
    return st;
}

enum st alert_channel_parse(struct str text, struct alert_channel *ret_channel, struct err *err)
{
    struct alert_channel c = {.kind = CHANNEL_WEBHOOK};
    size_t i = 0, n = sizeof(schemes) / sizeof(schemes[0]);

    while (i < n && !str_starts(text, str_of(schemes[i].scheme)))
        i++;
    if (i == n)
        return err_set(err, ST_REJECT,
                       "no channel that is known; write https://…, ntfy://topic, slack:https://…, "
                       "smtp://…, smtps://…, mqtt://… or mqtts://…");
    if (text.len >= sizeof(c.text) || !str_is_utf8(text))
        return err_set(err, ST_REJECT, "the channel %s… is too long, or no UTF-8",
                       schemes[i].scheme);
    snprintf(c.text, sizeof(c.text), "%.*s", STR_ARG(text));
    c.kind = schemes[i].kind;
    CURLU *url = curl_url();
    enum st st = has_control(c.text)      ? err_set(err, ST_REJECT, "it has control characters")
                 : c.kind == CHANNEL_MQTT ? by_mqtt_check(&c, err)
                                          : read_url(url, &c, err);
    curl_url_cleanup(url);
    if (st != ST_OK)
        return err_wrap(err, st, "the channel %s…: ", schemes[i].scheme);
    *ret_channel = c;
    return ST_OK;
}

/* ---- sending ---- */

struct alert_send {
    const struct alert_channel *channel;
    CURL *easy;              /* NULL: by MQTT … */
    struct by_mqtt *mqtt;    /* … NULL: not begun */
    struct curl_slist *list; /* headers, addresses */
    struct buf body;
    size_t n_read;
    size_t n_answers, n_addresses, refused_at; /* of a mail server; … the last refusal */
    char refusal[200];
};

static size_t on_read(char *to, size_t size, size_t n, void *ctx)
{
    struct alert_send *s = ctx;
    const size_t room = size * n, rest = s->body.len - s->n_read;
    const size_t len = rest < room ? rest : room;

    if (len > 0)
        memcpy(to, buf_z(&s->body) + s->n_read, len);
    s->n_read += len;
    return len;
}

/* A line of a mail server: printable ASCII of it, as it may hold anything. Before 354 stand the
 * answers to the addresses; what it refused before those (EHLO, say) matters to nobody then. */
static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx)
{
    struct alert_send *s = ctx;
    const struct str line = str_trim((struct str){bytes, size * n});
    const size_t len = line.len < sizeof(s->refusal) - 1 ? line.len : sizeof(s->refusal) - 1;

    s->n_answers += len < 4 || line.p[3] != '-';
    /* The mail is taken or not. libcurl then waits for the answer to its QUIT, and all others wait
     * with it. */
    if (s->n_read == s->body.len)
        curl_easy_setopt(s->easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUIT_S);
    if (str_starts(line, STR("354")) && s->n_answers - s->refused_at > s->n_addresses)
        s->refusal[0] = '\0';
    if (len < 3 || (line.p[0] != '4' && line.p[0] != '5'))
        return size * n;
    for (size_t i = 0; i < len; i++)
        s->refusal[i] = line.p[i] >= ' ' && line.p[i] < 0x7f ? line.p[i] : '?';
    s->refusal[len] = '\0';
    s->refused_at = s->n_answers;
    return size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    (void)bytes, (void)ctx;
    return size * n; /* nobody reads what a receiver says */
}

/* What goes into a header: ASCII, one line. */
static void add_header(struct buf *b, const char *name, struct str value)
{
    buf_add_z(b, name);
    for (size_t i = 0; i < value.len; i++)
        buf_add_char(b, value.p[i] >= ' ' && value.p[i] < 0x7f ? value.p[i] : '?');
}

static struct curl_slist *append(struct curl_slist *list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(list, text);
    return longer ? longer : list;
}

static struct curl_slist *http_headers(const struct alert_channel *c, const struct alert_message *m)
{
    struct buf line = BUF_INIT(1024);
    struct curl_slist *list =
        append(NULL, c->kind == CHANNEL_NTFY ? "Content-Type: text/plain; charset=utf-8"
                                             : "Content-Type: application/json");

    if (c->kind == CHANNEL_NTFY) {
        add_header(&line, "Title: ", m->subject);
        list = append(list, buf_z(&line));
    }
    if (c->token[0]) {
        buf_clear(&line);
        add_header(&line, "Authorization: Bearer ", str_of(c->token));
        list = append(list, buf_z(&line));
    }
    buf_release(&line);
    return append(list, "Expect:");
}

static void write_mail(const struct alert_channel *c, const struct alert_message *m, struct buf *b)
{
    char date[TIME_TEXT];

    time_format_http(m->now_us, date);
    buf_addf(b, "From: %s\r\nTo: %s\r\nDate: %.26s+0000\r\nMessage-ID: <%s@geckotape>\r\n", c->from,
             c->to, date, m->id); /* "… 14:30:00 GMT" with the zone as mail has it */
    add_header(b, "Subject: ", m->subject);
    buf_add_z(b, "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    for (struct str rest = m->text, line; rest.len > 0;) {
        str_cut(&rest, '\n', &line);
        buf_addf(b, "%.*s\r\n", STR_ARG(line));
    }
}

static struct curl_slist *recipients(const struct alert_channel *c)
{
    struct curl_slist *list = NULL;
    struct str rest = str_of(c->to), one;
    char address[256];

    while (rest.len > 0) {
        str_cut(&rest, ',', &one);
        one = str_trim(one);
        snprintf(address, sizeof(address), "%.*s", STR_ARG(one));
        if (one.len > 0)
            list = append(list, address);
    }
    return list;
}

static void set_common(CURL *easy, const struct alert_channel *c)
{
    const char *ca_file = getenv("SSL_CERT_FILE"), *ca_dir = getenv("SSL_CERT_DIR");

    curl_easy_setopt(easy, CURLOPT_URL, c->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
                     c->kind == CHANNEL_SMTP ? "smtp,smtps" : "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "geckotape/" GECKOTAPE_VERSION);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L); /* the next one is far away */
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    if (ca_file && ca_file[0])
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    if (ca_dir && ca_dir[0])
        curl_easy_setopt(easy, CURLOPT_CAPATH, ca_dir);
    if (c->kind != CHANNEL_WEBHOOK && c->kind != CHANNEL_SLACK && c->user[0]) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, c->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, c->password);
    }
}

static void set_http(struct alert_send *s, const struct alert_message *m)
{
    const struct alert_channel *c = s->channel;

    s->list = http_headers(c, m);
    if (c->kind == CHANNEL_SLACK) {
        buf_add_z(&s->body, "{\"text\": ");
        buf_add_json_str(&s->body, m->text);
        buf_add_char(&s->body, '}');
    } else {
        buf_add_str(&s->body, c->kind == CHANNEL_NTFY ? m->text : m->json);
    }
    curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->list);
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, buf_z(&s->body));
    curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE, (long)s->body.len);
}

static void set_mail(struct alert_send *s, const struct alert_message *m)
{
    const struct alert_channel *c = s->channel;

    s->list = recipients(c);
    for (const struct curl_slist *one = s->list; one; one = one->next)
        s->n_addresses++;
    write_mail(c, m, &s->body);
    curl_easy_setopt(s->easy, CURLOPT_USE_SSL,
                     (long)(c->user[0] ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl_easy_setopt(s->easy, CURLOPT_MAIL_FROM, c->from);
    curl_easy_setopt(s->easy, CURLOPT_MAIL_RCPT, s->list);
    curl_easy_setopt(s->easy, MAIL_RCPT_ALLOWFAILS, 1L); /* one bad address is not all of them */
    curl_easy_setopt(s->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(s->easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(s->easy, CURLOPT_READDATA, s);
    curl_easy_setopt(s->easy, CURLOPT_HEADERFUNCTION, on_answer);
    curl_easy_setopt(s->easy, CURLOPT_HEADERDATA, s);
}

struct alert_send *alert_send_new(const struct alert_channel *channel,
                                  const struct alert_message *message)
{
    struct alert_send *s = mem_new(1, sizeof(*s));

    s->channel = channel;
    buf_init(&s->body, MAX_MAIL);
    if (channel->kind == CHANNEL_MQTT) {
        buf_add_str(&s->body, message->json);
        return s;
    }
    s->easy = curl_easy_init();
    if (s->easy == NULL) {
        alert_send_free(s);
        return NULL;
    }
    set_common(s->easy, channel);
    if (channel->kind == CHANNEL_SMTP)
        set_mail(s, message);
    else
        set_http(s, message);
    return s;
}

void *alert_send_handle(const struct alert_send *send)
{
    return send->easy;
}

bool alert_send_begin(struct alert_send *send, void (*wake)(void *ctx), void *ctx)
{
    send->mqtt = by_mqtt_new(send->channel, buf_str(&send->body), wake, ctx);
    return send->mqtt != NULL;
}

bool alert_send_is_over(const struct alert_send *send)
{
    return send->mqtt && by_mqtt_is_over(send->mqtt);
}

const char *alert_send_refusal(const struct alert_send *send)
{
    return send->refusal;
}

void alert_send_free(struct alert_send *send)
{
    if (send == NULL)
        return;
    by_mqtt_free(send->mqtt);
    curl_easy_cleanup(send->easy);
    curl_slist_free_all(send->list);
    buf_release(&send->body);
    mem_free(send);
}

/* Of an answer that says the same to the same message: 3xx, as redirects are not followed, and most
 * of 4xx. */
static bool is_final(long status)
{
    return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

enum st alert_send_result(const struct alert_send *send, int code, struct err *err)
{
    const struct alert_channel *c = send->channel;
    long status = 0;

    if (send->mqtt)
        return by_mqtt_result(send->mqtt, err);
    curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &status);
    /* of libcurl's texts the one that names no part of the URL */
    if (code != CURLE_OK && send->refusal[0])
        return err_set(err, send->refusal[0] == '5' ? ST_REJECT : ST_AGAIN, "%s: %s; it said: %s",
                       c->shown, curl_easy_strerror((CURLcode)code), send->refusal);
    if (code != CURLE_OK)
        return err_set(err, ST_AGAIN, "%s: %s", c->shown, curl_easy_strerror((CURLcode)code));
    if (c->kind != CHANNEL_SMTP && (status < 200 || status > 299))
        return err_set(err, is_final(status) ? ST_REJECT : ST_AGAIN, "%s: answers with status %ld",
                       c->shown, status);
    return ST_OK;
}

enum st alert_channel_send(const struct alert_channel *channel, const struct alert_message *message,
                           struct err *err)
{
    struct alert_send *s = alert_send_new(channel, message);

    if (s == NULL)
        return err_set(err, ST_AGAIN, "%s: no memory", channel->shown);
    enum st st = ST_OK;
    if (channel->kind == CHANNEL_MQTT && !alert_send_begin(s, NULL, NULL))
        st = err_set(err, ST_AGAIN, "%s: no thread can be started", channel->shown);
    else
        st = alert_send_result(s, s->easy ? (int)curl_easy_perform(s->easy) : 0, err);
    alert_send_free(s);
    return st;
}
