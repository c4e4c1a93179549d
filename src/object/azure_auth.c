/* SPDX-License-Identifier: Apache-2.0 */
#include "object/azure_auth.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "object/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define EARLY_US    (300 * US_PER_S) /* before a token runs out */
#define MAX_TOKEN   (size_t)(16 * 1024)
#define MAX_HEADERS 32
#define MAX_PARAMS  16
#define RESOURCE    "https%3A%2F%2Fstorage.azure.com%2F"

struct azure_auth {
    struct cloud *cloud;
    char account[64];
    unsigned char key[128];
    size_t key_len;   /* 0: none */
    char sas[2048];   /* "": none */
    char token[8192]; /* "": none yet */
    int64_t expires_us, wait_us;
    struct http_answer answer;
};

/* A field of "Name=Value;Name=Value"; values may have '='. */
static bool connection_field(const char *text, const char *name, char *ret, size_t size)
{
    struct str rest = str_of(text), part, key;

    while (rest.len > 0) {
        str_cut(&rest, ';', &part);
        if (!str_cut(&part, '=', &key) || !str_eq(str_trim(key), str_of(name)))
            continue;
        part = str_trim(part);
        if (part.len >= size)
            return false;
        snprintf(ret, size, "%.*s", STR_ARG(part));
        return true;
    }
    return false;
}

void azure_auth_endpoint(struct cloud *cloud, char *ret, size_t size)
{
    const char *connection = cloud_env(cloud, "AZURE_STORAGE_CONNECTION_STRING");

    ret[0] = '\0';
    if (connection)
        connection_field(connection, "BlobEndpoint", ret, size);
}

static enum st take_key(struct azure_auth *a, const char *text, struct err *err)
{
    if (hash_unbase64(str_of(text), a->key, sizeof(a->key), &a->key_len))
        return ST_OK;
    return err_set(err, ST_FATAL, "the account's key is not in base64");
}

static enum st take_sas(struct azure_auth *a, const char *text, struct err *err)
{
    if (text[0] == '?')
        text++;
    if (strlen(text) >= sizeof(a->sas) || strstr(text, "sig=") == NULL)
        return err_set(err, ST_FATAL, "the signature (SAS) has no sig=, or is too long");
    snprintf(a->sas, sizeof(a->sas), "%s", text);
    return ST_OK;
}

static enum st take_connection(struct azure_auth *a, const char *text, struct err *err)
{
    char value[2048];

    if (connection_field(text, "AccountName", value, sizeof(value)) &&
        strcmp(value, a->account) != 0)
        return err_set(err, ST_FATAL, "AZURE_STORAGE_CONNECTION_STRING is of the account %s",
                       value);
    if (connection_field(text, "AccountKey", value, sizeof(value)))
        return take_key(a, value, err);
    if (connection_field(text, "SharedAccessSignature", value, sizeof(value)))
        return take_sas(a, value, err);
    return err_set(err, ST_FATAL, "AZURE_STORAGE_CONNECTION_STRING has no key, nor a signature");
}

enum st azure_auth_new(struct cloud *cloud, const char *account, struct azure_auth **ret_auth,
                       struct err *err)
{
    const char *key = cloud_env(cloud, "AZURE_STORAGE_KEY");
    const char *sas = cloud_env(cloud, "AZURE_STORAGE_SAS_TOKEN");
    const char *connection = cloud_env(cloud, "AZURE_STORAGE_CONNECTION_STRING");
    struct azure_auth *a = mem_new(1, sizeof(*a));
    enum st st = ST_OK;

    a->cloud = cloud;
    snprintf(a->account, sizeof(a->account), "%s", account);
    http_answer_init(&a->answer, 4 * MAX_TOKEN);
    if (key == NULL)
        key = cloud_env(cloud, "AZURE_STORAGE_ACCOUNT_KEY");
    if (key)
        st = take_key(a, key, err);
    else if (sas)
        st = take_sas(a, sas, err);
    else if (connection)
        st = take_connection(a, connection, err);
    if (st == ST_OK)
        *ret_auth = a;
    else
        azure_auth_free(a);
    return st;
}

void azure_auth_free(struct azure_auth *a)
{
    if (a == NULL)
        return;
    http_answer_release(&a->answer);
    explicit_bzero(a->key, sizeof(a->key));
    explicit_bzero(a->token, sizeof(a->token));
    mem_free(a);
}

static enum st take_token(struct azure_auth *a, struct err *err)
{
    char in[32], on[32];
    const struct cloud_field fields[] = {{"access_token", a->token, sizeof(a->token)},
                                         {"expires_in", in, sizeof(in)},
                                         {"expires_on", on, sizeof(on)}};
    enum st st = cloud_fields(buf_str(&a->answer.body), fields, 3, err);
    int64_t seconds;

    if (st != ST_OK || a->token[0] == '\0') {
        a->token[0] = '\0';
        return err_set(err, ST_AGAIN, "the answer has no token in it");
    }
    if (str_to_i64(str_of(in), 0, INT32_MAX, &seconds))
        a->expires_us = clock_wall_us(clock_system()) + seconds * US_PER_S;
    else if (str_to_i64(str_of(on), 0, TIME_LAST_US / US_PER_S, &seconds))
        a->expires_us = seconds * US_PER_S;
    else
        a->expires_us = clock_wall_us(clock_system()) + 2 * EARLY_US;
    return ST_OK;
}

static enum st ask(struct azure_auth *a, const struct http_call *call, struct err *err)
{
    enum st st = cloud_ask(a->cloud, call, &a->answer, err);
    return st == ST_OK ? take_token(a, err) : st;
}

/* A service principal: its secret, or a token that a cluster vouches with. */
static enum st from_principal(struct azure_auth *a, const char *tenant, const char *client,
                              struct err *err)
{
    const char *host = cloud_env(a->cloud, "AZURE_AUTHORITY_HOST");
    const char *file = cloud_env(a->cloud, "AZURE_FEDERATED_TOKEN_FILE");
    const char *secret = cloud_env(a->cloud, "AZURE_CLIENT_SECRET");
    struct buf url = BUF_INIT(1024), body = BUF_INIT(4 * MAX_TOKEN),
               assertion = BUF_INIT(MAX_TOKEN);
    enum st st = secret ? ST_OK : file_read(file, &assertion, err);

    buf_add_z(&url, host ? host : "https://login.microsoftonline.com/");
    if (!str_ends(buf_str(&url), STR("/")))
        buf_add_char(&url, '/');
    hash_percent(&url, str_of(tenant), false);
    buf_add_z(&url, "/oauth2/v2.0/token");
    buf_add_z(&body, "grant_type=client_credentials&scope=" RESOURCE ".default&client_id=");
    hash_percent(&body, str_of(client), false);
    buf_add_z(&body, secret ? "&client_secret="
                            : "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                              "client-assertion-type%3Ajwt-bearer&client_assertion=");
    hash_percent(&body, secret ? str_of(secret) : str_trim(buf_str(&assertion)), false);
    const struct http_call call = {.method = "POST",
                                   .url = buf_z(&url),
                                   .headers =
                                       STR("Content-Type: application/x-www-form-urlencoded\n"),
                                   .body = buf_str(&body)};
    if (st == ST_OK)
        st = buf_check(&body, "the token", err);
    if (st == ST_OK)
        st = ask(a, &call, err);
    if (body.p)
        explicit_bzero(body.p, body.len);
    buf_release(&url);
    buf_release(&body);
    buf_release(&assertion);
    return st == ST_OK ? st : err_wrap(err, st, "token of the service principal: ");
}

/* App Service and the like have an address and a header in the environment, machines a fixed
 * address. */
static enum st from_identity(struct azure_auth *a, const char *client, struct err *err)
{
    const char *endpoint = cloud_env(a->cloud, "IDENTITY_ENDPOINT");
    const char *header = cloud_env(a->cloud, "IDENTITY_HEADER");
    const char *host = cloud_env(a->cloud, "AZURE_POD_IDENTITY_AUTHORITY_HOST");
    struct buf url = BUF_INIT(2048), headers = BUF_INIT(4096);

    if (endpoint && header) {
        buf_addf(&url, "%s?api-version=2019-08-01", endpoint);
        buf_addf(&headers, "X-IDENTITY-HEADER: %s\n", header);
    } else {
        buf_addf(&url, "%s/metadata/identity/oauth2/token?api-version=2018-02-01",
                 host ? host : "http://169.254.169.254");
        buf_add_z(&headers, "Metadata: true\n");
    }
    buf_add_z(&url, "&resource=" RESOURCE);
    if (client) {
        buf_add_z(&url, "&client_id=");
        hash_percent(&url, str_of(client), false);
    }
    const struct http_call call = {
        .method = "GET", .url = buf_z(&url), .headers = buf_str(&headers), .is_direct = true};
    enum st st = ask(a, &call, err);
    buf_release(&url);
    buf_release(&headers);
    return st == ST_OK ? st
                       : err_wrap(err, st,
                                  "no credentials: neither AZURE_STORAGE_KEY, nor "
                                  "AZURE_STORAGE_SAS_TOKEN, nor a managed identity: ");
}

static enum st fetch(struct azure_auth *a, struct err *err)
{
    const char *tenant = cloud_env(a->cloud, "AZURE_TENANT_ID");
    const char *client = cloud_env(a->cloud, "AZURE_CLIENT_ID");
    const bool has_proof = cloud_env(a->cloud, "AZURE_CLIENT_SECRET") ||
                           cloud_env(a->cloud, "AZURE_FEDERATED_TOKEN_FILE");

    if (tenant && client && has_proof)
        return from_principal(a, tenant, client, err);
    return from_identity(a, client, err);
}

static enum st token(struct azure_auth *a, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    const bool has_token = a->token[0] && now_us < a->expires_us;

    if (has_token && (now_us < a->wait_us || now_us < a->expires_us - EARLY_US))
        return ST_OK;
    struct buf before = BUF_INIT(sizeof(a->token));
    buf_add_z(&before, a->token);
    enum st st = fetch(a, err);
    if (st != ST_OK && has_token) { /* the old one lasts for some minutes more */
        snprintf(a->token, sizeof(a->token), "%s", buf_z(&before));
        a->wait_us =
            now_us + 60 * US_PER_S < a->expires_us ? now_us + 60 * US_PER_S : a->expires_us;
        st = ST_OK;
    }
    if (before.p)
        explicit_bzero(before.p, before.len);
    buf_release(&before);
    return st;
}

static int by_name(const void *a, const void *b)
{
    struct str first = *(const struct str *)a, second = *(const struct str *)b, x, y;

    str_cut(&first, ':', &x); /* "a:" stands behind "a-b:" */
    str_cut(&second, ':', &y);
    return str_cmp(x, y);
}

static void add_header(struct buf *b, struct str headers, const char *name)
{
    struct str value = http_answer_header(headers, name);
    buf_add_str(b, value);
    buf_add_char(b, '\n');
}

/* The x-ms-… ones, in order. */
static void add_own_headers(struct buf *b, struct str headers)
{
    struct str lines[MAX_HEADERS], line;
    size_t n = 0;

    while (headers.len > 0 && n < MAX_HEADERS) {
        str_cut(&headers, '\n', &line);
        if (str_starts(line, STR("x-ms-")))
            lines[n++] = line;
    }
    qsort(lines, n, sizeof(lines[0]), by_name);
    for (size_t i = 0; i < n; i++) {
        struct str value = lines[i], name;
        str_cut(&value, ':', &name);
        value = str_trim(value);
        buf_addf(b, "%.*s:%.*s\n", STR_ARG(name), STR_ARG(value));
    }
}

/* "/account/path\nname:value…": parameters, which are sorted already, decoded. */
static void add_resource(struct buf *b, const struct azure_auth *a,
                         const struct cloud_request *request)
{
    struct str query = request->query, part, name;
    char value[4096];

    buf_addf(b, "/%s%.*s", a->account, STR_ARG(request->path));
    while (query.len > 0) {
        str_cut(&query, '&', &part);
        str_cut(&part, '=', &name);
        if (!str_percent_decode(part, value, sizeof(value)))
            value[0] = '\0';
        buf_addf(b, "\n%.*s:%s", STR_ARG(name), value);
    }
}

/* https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key */
static void sign(const struct azure_auth *a, const struct cloud_request *request,
                 struct buf *headers)
{
    static const char *const after[] = {"content-md5",         "content-type", "date",
                                        "if-modified-since",   "if-match",     "if-none-match",
                                        "if-unmodified-since", "range"};
    struct buf text = BUF_INIT(32 * 1024);
    unsigned char hash[SHA256_BYTES];
    char signature[SHA256_B64];

    buf_addf(&text, "%s\n\n\n", request->method);
    if (request->body.len > 0)
        buf_addf(&text, "%zu", request->body.len);
    buf_add_char(&text, '\n');
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
        add_header(&text, buf_str(headers), after[i]);
    add_own_headers(&text, buf_str(headers));
    add_resource(&text, a, request);
    hash_hmac_sha256((struct str){(const char *)a->key, a->key_len}, buf_str(&text), hash);
    hash_base64(hash, sizeof(hash), signature);
    buf_addf(headers, "authorization: SharedKey %s:%s\n", a->account, signature);
    buf_release(&text);
}

static bool is_this_machine(const struct buf *url)
{
    return str_starts(buf_str(url), STR("http://127.0.0.1")) ||
           str_starts(buf_str(url), STR("http://localhost"));
}

enum st azure_auth_sign(struct azure_auth *a, const struct cloud_request *request, bool is_tls,
                        struct buf *url, struct buf *headers, struct err *err)
{
    if (a->key_len > 0) {
        sign(a, request, headers);
        return ST_OK;
    }
    if (!is_tls && !is_this_machine(url))
        return err_set(err, ST_FATAL, "a token or a SAS is not sent without TLS: use https://");
    if (a->sas[0]) {
        buf_addf(url, "%c%s", request->query.len > 0 ? '&' : '?', a->sas);
        return ST_OK;
    }
    enum st st = token(a, err);
    if (st == ST_OK)
        buf_addf(headers, "authorization: Bearer %s\n", a->token);
    return st;
}

bool azure_auth_renew(struct azure_auth *a)
{
    const bool can = a->key_len == 0 && a->sas[0] == '\0';
    if (can)
        a->token[0] = '\0';
    return can;
}
