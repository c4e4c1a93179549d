/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/guard.h"

#include "serve/own.h"

#include <arpa/inet.h>
#include <strings.h>

#define MAX_SECRET 1024

/* ---- secrets ---- */

static void add_base64(struct buf *b, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_add_char(b, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

/* What an Authorization header gives in this scheme; p is NULL where it is of another. */
static struct str credentials(const struct http_request *req, struct str scheme)
{
    const struct str given = http_header(req, "Authorization");

    if (given.len <= scheme.len || strncasecmp(given.p, scheme.p, scheme.len) != 0)
        return STR_NONE;
    return (struct str){given.p + scheme.len, given.len - scheme.len};
}

static bool has_token(const struct http_request *req, const char *token)
{
    const struct str given = credentials(req, STR("Bearer "));

    return token[0] && given.p && str_eq_secret(given, str_of(token));
}

static bool has_login(const struct http_request *req, const char *login)
{
    const struct str given = credentials(req, STR("Basic "));
    struct buf want = BUF_INIT(MAX_SECRET);

    if (!login[0] || !given.p)
        return false;
    add_base64(&want, str_of(login));
    const bool is_right = str_eq_secret(given, buf_str(&want));
    buf_release(&want);
    return is_right;
}

/* ---- reading ---- */

static bool is_probe(struct str path)
{
    return str_eq(path, STR("/healthz")) || str_eq(path, STR("/readyz"));
}

bool guard_may_read(const struct guard *g, const struct http_request *req,
                    struct http_response *res)
{
    if ((!g->read_token[0] && !g->login[0]) || is_probe(http_path(req)) ||
        has_token(req, g->read_token) || has_token(req, g->token) || has_login(req, g->login))
        return true;
    own_refuse(res, 401, "%s; %s%s%s",
               http_header(req, "Authorization").p ? "this is not the right token or login"
                                                   : "reading needs a token or a login here",
               g->read_token[0] ? "send \"Authorization: Bearer TOKEN\" with the token of "
                                  "GECKOTAPE_HTTP_READ_TOKEN"
                                : "",
               g->read_token[0] && g->login[0] ? ", or " : "",
               g->login[0] ? "the user and password of GECKOTAPE_HTTP_LOGIN" : "");
    if (g->login[0])
        http_add_header(res, "WWW-Authenticate", "Basic realm=\"geckotape\", charset=\"UTF-8\"");
    if (g->read_token[0])
        http_add_header(res, "WWW-Authenticate", "Bearer realm=\"geckotape\"");
    return false;
}

/* ---- writing ---- */

/* "name:80" or "[::1]:80" without the port. */
static struct str host_name(struct str host)
{
    if (host.len == 0 || !host.p)
        return STR_NONE;
    const char *colon = memrchr(host.p, ':', host.len);
    if (host.p[0] == '[') {
        const char *end = memchr(host.p, ']', host.len);
        return end ? (struct str){host.p + 1, (size_t)(end - host.p) - 1} : STR_NONE;
    }
    return colon ? (struct str){host.p, (size_t)(colon - host.p)} : host;
}

static bool is_address(struct str name)
{
    char text[64];
    struct in6_addr address;

    if (name.len == 0 || name.len >= sizeof(text))
        return false;
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* No name of somebody else's can be among these. */
static bool is_ours(const struct guard *g, struct str host)
{
    const struct str name = host_name(host);

    if (name.len == 0 || !name.p)
        return false;
    if (is_address(name) || (name.len == 9 && strncasecmp(name.p, "localhost", 9) == 0))
        return true;
    for (size_t i = 0; i < g->n_hosts; i++)
        if (name.len == strlen(g->hosts[i]) && strncasecmp(name.p, g->hosts[i], name.len) == 0)
            return true;
    return false;
}

/* "http://host:80" → "host:80" */
static struct str origin_host(struct str origin)
{
    const char *slashes = origin.p ? memmem(origin.p, origin.len, "://", 3) : NULL;
    const size_t skip = slashes ? (size_t)(slashes - origin.p) + 3 : origin.len;

    return (struct str){origin.p + skip, origin.len - skip};
}

/* Is it sent by a page that is not ours? What is no browser sends neither header. */
static bool is_cross_site(const struct http_request *req)
{
    const struct str site = http_header(req, "Sec-Fetch-Site"), origin = http_header(req, "Origin");
    const struct str host = http_header(req, "Host");

    if (site.p && !str_eq(site, STR("same-origin")) && !str_eq(site, STR("none")))
        return true;
    return origin.p && !str_eq(origin_host(origin), host);
}

static bool is_browser(const struct http_request *req)
{
    return http_header(req, "Sec-Fetch-Site").p || http_header(req, "Origin").p;
}

bool guard_may_write(const struct guard *g, const struct http_request *req,
                     struct http_response *res)
{
    if (is_cross_site(req)) {
        own_refuse(res, 403, "a page of another origin may not write here");
        return false;
    }
    if (is_browser(req) && !is_ours(g, http_header(req, "Host"))) {
        own_refuse(res, 403,
                   "Host: this name may be somebody else's; write by an address, or name it in "
                   "GECKOTAPE_HTTP_HOST (or --http-host) and restart");
        return false;
    }
    if (!g->token[0]) {
        own_refuse(res, 403,
                   "no token is configured, so nobody may ask for polls here; set "
                   "GECKOTAPE_HTTP_TOKEN (or --http-token) and restart");
        return false;
    }
    if (has_token(req, g->token))
        return true;
    own_refuse(res, 401,
               "%s; send \"Authorization: Bearer TOKEN\" with the token of GECKOTAPE_HTTP_TOKEN",
               http_header(req, "Authorization").p ? "the token is not the right one"
                                                   : "a token is needed");
    http_add_header(res, "WWW-Authenticate", "Bearer realm=\"geckotape\"");
    return false;
}
