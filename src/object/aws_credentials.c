/* SPDX-License-Identifier: Apache-2.0 */
#include "object/aws_credentials.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "object/aws_profile.h"
#include "object/hash.h"
#include "object/xml.h"

#include <stdio.h>

#define EARLY_US       (300 * US_PER_S) /* before they run out */
#define MAX_FILE       (size_t)(256 * 1024)
#define MAX_TOKEN      (size_t)(16 * 1024)
#define ROLE_SECONDS   "3600"
#define METADATA_TOKEN "x-aws-ec2-metadata-token"

struct aws_credentials {
    struct cloud *cloud;
    char profile[128], region[64];
    struct aws_keys keys;
    int64_t expires_us; /* 0: never */
    int64_t wait_us;    /* nobody is asked before, since that failed and the old ones last still */
    bool is_there;
    bool is_temporary; /* others may be had */
    struct http_answer answer;
};

static void profile_of(const struct cloud *cloud, const char *profile, char *ret, size_t size)
{
    const char *name = profile ? profile : cloud_env(cloud, "AWS_PROFILE");
    snprintf(ret, size, "%s", name ? name : "default");
}

struct aws_credentials *aws_credentials_new(struct cloud *cloud, const char *profile,
                                            const char *region)
{
    struct aws_credentials *c = mem_new(1, sizeof(*c));

    c->cloud = cloud;
    profile_of(cloud, profile, c->profile, sizeof(c->profile));
    snprintf(c->region, sizeof(c->region), "%s", region);
    http_answer_init(&c->answer, MAX_TOKEN);
    return c;
}

void aws_credentials_free(struct aws_credentials *c)
{
    if (c == NULL)
        return;
    http_answer_release(&c->answer);
    explicit_bzero(&c->keys, sizeof(c->keys));
    mem_free(c);
}

static bool set(char *to, size_t size, const char *text)
{
    const size_t len = text ? strlen(text) : 0;

    if (len >= size)
        return false;
    memcpy(to, text ? text : "", len);
    to[len] = '\0';
    return true;
}

#define SET(field, text) set(field, sizeof(field), text)

/* A text of one line from a file: a token. */
static enum st read_line(const char *path, struct buf *ret, struct err *err)
{
    enum st st = file_read(path, ret, err);
    while (st == ST_OK && ret->len > 0 && (unsigned char)ret->p[ret->len - 1] <= ' ')
        ret->p[--ret->len] = '\0';
    return st;
}

static enum st from_environment(struct aws_credentials *c, struct err *err)
{
    const char *id = cloud_env(c->cloud, "AWS_ACCESS_KEY_ID");
    const char *secret = cloud_env(c->cloud, "AWS_SECRET_ACCESS_KEY");

    if (id == NULL && secret == NULL)
        return ST_OK;
    if (id == NULL || secret == NULL)
        return err_set(err, ST_FATAL, "%s is set, %s is not",
                       id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                       id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    if (!SET(c->keys.id, id) || !SET(c->keys.secret, secret) ||
        !SET(c->keys.token, cloud_env(c->cloud, "AWS_SESSION_TOKEN")))
        return err_set(err, ST_FATAL, "AWS_ACCESS_KEY_ID and the like: too long");
    c->is_there = true;
    return ST_OK;
}

/* *ret_file is empty when there is none. */
static enum st read_shared(struct cloud *cloud, const char *name, const char *usual,
                           struct buf *ret_file, struct err *err)
{
    const char *given = cloud_env(cloud, name), *home = cloud_env(cloud, "HOME");
    char path[FILE_MAX_PATH];

    if (given == NULL && home == NULL)
        return ST_OK;
    enum st st =
        given ? file_path(path, err, "%s", given) : file_path(path, err, "%s/.aws/%s", home, usual);
    struct err why = ERR_INIT;
    if (st == ST_OK)
        st = file_read(path, ret_file, &why);
    if (st == ST_OK || given == NULL) /* nobody asked for a file that cannot be read */
        return ST_OK;
    return err_set(err, ST_FATAL, "%s: %s", name, why.msg);
}

/* In the file of credentials a section is "x", in that of settings "profile x", but for "default".
 */
static bool profile_value(struct str file, bool is_config, const char *profile, const char *name,
                          char ret[AWS_PROFILE_VALUE])
{
    char section[160];
    const bool is_plain = !is_config || strcmp(profile, "default") == 0;

    snprintf(section, sizeof(section), "%s%s", is_plain ? "" : "profile ", profile);
    return aws_profile_value(file, section, name, ret);
}

void aws_credentials_region(struct cloud *cloud, const char *profile, char *ret, size_t size)
{
    const char *env = cloud_env(cloud, "AWS_REGION");
    char value[AWS_PROFILE_VALUE], name[128];
    struct buf file = BUF_INIT(MAX_FILE);
    struct err ignored = ERR_INIT;

    if (env == NULL)
        env = cloud_env(cloud, "AWS_DEFAULT_REGION");
    snprintf(ret, size, "%s", env ? env : "");
    profile_of(cloud, profile, name, sizeof(name));
    if (env == NULL && read_shared(cloud, "AWS_CONFIG_FILE", "config", &file, &ignored) == ST_OK &&
        profile_value(buf_str(&file), true, name, "region", value))
        set(ret, size, value);
    buf_release(&file);
}

static enum st keys_of_file(struct aws_credentials *c, struct str file, bool is_config,
                            struct err *err)
{
    char id[AWS_PROFILE_VALUE], secret[AWS_PROFILE_VALUE], token[AWS_PROFILE_VALUE] = "";

    if (!profile_value(file, is_config, c->profile, "aws_access_key_id", id))
        return ST_OK;
    if (!profile_value(file, is_config, c->profile, "aws_secret_access_key", secret))
        return err_set(err, ST_FATAL, "the profile %s has an access key, but no secret",
                       c->profile);
    profile_value(file, is_config, c->profile, "aws_session_token", token);
    if (!SET(c->keys.id, id) || !SET(c->keys.secret, secret) || !SET(c->keys.token, token))
        return err_set(err, ST_FATAL, "the profile %s: its keys are too long", c->profile);
    c->is_there = true;
    c->is_temporary = token[0] != '\0'; /* some program writes new ones there */
    return ST_OK;
}

/* What we do not know how to do is better named than passed over for somebody else's identity. */
static enum st check_profile(struct aws_credentials *c, struct str file, struct err *err)
{
    static const char *const others[] = {"role_arn", "sso_session", "sso_start_url",
                                         "credential_process"};
    char value[AWS_PROFILE_VALUE];

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (profile_value(file, true, c->profile, others[i], value))
            return err_set(err, ST_FATAL,
                           "the profile %s has %s, which is not supported; give keys by "
                           "`aws configure export-credentials`",
                           c->profile, others[i]);
    return ST_OK;
}

static enum st from_files(struct aws_credentials *c, struct err *err)
{
    struct buf keys = BUF_INIT(MAX_FILE), config = BUF_INIT(MAX_FILE);
    enum st st = read_shared(c->cloud, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &keys, err);

    if (st == ST_OK)
        st = keys_of_file(c, buf_str(&keys), false, err);
    if (st == ST_OK && !c->is_there)
        st = read_shared(c->cloud, "AWS_CONFIG_FILE", "config", &config, err);
    if (st == ST_OK && !c->is_there)
        st = keys_of_file(c, buf_str(&config), true, err);
    if (st == ST_OK && !c->is_there)
        st = check_profile(c, buf_str(&config), err);
    if (keys.p)
        explicit_bzero(keys.p, keys.len);
    buf_release(&keys);
    buf_release(&config);
    return st;
}

static enum st take(struct aws_credentials *c, const char *expiration, struct err *err)
{
    if (c->keys.id[0] == '\0' || c->keys.secret[0] == '\0')
        return err_set(err, ST_AGAIN, "the answer has no keys in it");
    if (!time_parse(str_of(expiration), &c->expires_us))
        c->expires_us = clock_wall_us(clock_system()) + 2 * EARLY_US;
    c->is_there = c->is_temporary = true;
    return ST_OK;
}

/* The form in which containers and instances answer. */
static enum st take_json(struct aws_credentials *c, struct err *err)
{
    char expiration[64];
    const struct cloud_field fields[] = {
        {"AccessKeyId", c->keys.id, sizeof(c->keys.id)},
        {"SecretAccessKey", c->keys.secret, sizeof(c->keys.secret)},
        {"Token", c->keys.token, sizeof(c->keys.token)},
        {"Expiration", expiration, sizeof(expiration)},
    };
    enum st st = cloud_fields(buf_str(&c->answer.body), fields, 4, err);
    return st == ST_OK ? take(c, expiration, err) : ST_AGAIN;
}

/* A token may be sent there: TLS, this machine, or the addresses of ECS and EKS. */
static bool is_trusted(struct str url)
{
    static const char *const hosts[] = {"http://127.0.0.1",      "http://localhost",
                                        "http://[::1]",          "http://169.254.170.2",
                                        "http://169.254.170.23", "http://[fd00:ec2::23]"};

    if (str_starts(url, STR("https://")))
        return true;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const size_t len = strlen(hosts[i]);
        if (str_starts(url, str_of(hosts[i])) &&
            (url.len == len || url.p[len] == ':' || url.p[len] == '/'))
            return true;
    }
    return false;
}

static enum st container_token(struct aws_credentials *c, struct buf *ret_headers, struct err *err)
{
    const char *file = cloud_env(c->cloud, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *given = cloud_env(c->cloud, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    struct buf token = BUF_INIT(MAX_TOKEN);
    enum st st = file ? read_line(file, &token, err) : ST_OK;

    if (st == ST_OK && (token.len > 0 || given))
        buf_addf(ret_headers, "Authorization: %s\n", token.len > 0 ? buf_z(&token) : given);
    buf_release(&token);
    return st == ST_OK ? buf_check(ret_headers, "the token", err) : st;
}

static enum st from_container(struct aws_credentials *c, struct err *err)
{
    const char *relative = cloud_env(c->cloud, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = cloud_env(c->cloud, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct buf url = BUF_INIT(2048), headers = BUF_INIT(MAX_TOKEN + 64);

    if (relative)
        buf_addf(&url, "http://169.254.170.2%s", relative);
    else if (full)
        buf_add_z(&url, full);
    else
        return ST_OK;
    enum st st = is_trusted(buf_str(&url))
                     ? container_token(c, &headers, err)
                     : err_set(err, ST_FATAL, "not https://, nor an address of ECS or EKS");
    const struct http_call request = {
        .method = "GET", .url = buf_z(&url), .headers = buf_str(&headers), .is_direct = true};
    if (st == ST_OK)
        st = cloud_ask(c->cloud, &request, &c->answer, err);
    if (st == ST_OK)
        st = take_json(c, err);
    buf_release(&url);
    buf_release(&headers);
    return st == ST_OK ? st : err_wrap(err, st, "credentials of the container: ");
}

static enum st metadata(struct aws_credentials *c, const char *method, const char *path,
                        const char *header, struct err *err)
{
    const char *base = cloud_env(c->cloud, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct buf url = BUF_INIT(1024);

    buf_addf(&url, "%s%s%s", base ? base : "http://169.254.169.254",
             base && str_ends(str_of(base), STR("/")) ? "" : "/", path);
    const struct http_call request = {
        .method = method, .url = buf_z(&url), .headers = str_of(header), .is_direct = true};
    enum st st = cloud_ask(c->cloud, &request, &c->answer, err);
    buf_release(&url);
    return st;
}

#define ROLES "latest/meta-data/iam/security-credentials/"

static enum st ask_instance(struct aws_credentials *c, struct err *err)
{
    char header[512], path[256];
    enum st st = metadata(c, "PUT", "latest/api/token",
                          METADATA_TOKEN "-ttl-seconds: 21600\ncontent-type: text/plain\n", err);

    if (st != ST_OK)
        return st;
    struct str token = str_trim(buf_str(&c->answer.body));
    if (token.len == 0 || token.len > 400)
        return err_set(err, ST_AGAIN, "the metadata service gives no token");
    snprintf(header, sizeof(header), METADATA_TOKEN ": %.*s\n", STR_ARG(token));
    st = metadata(c, "GET", ROLES, header, err);
    if (st != ST_OK)
        return st;
    struct str roles = buf_str(&c->answer.body), role;
    str_cut(&roles, '\n', &role);
    role = str_trim(role);
    if (role.len == 0 || role.len > 128)
        return err_set(err, ST_FATAL, "the instance has no role");
    snprintf(path, sizeof(path), ROLES "%.*s", STR_ARG(role));
    st = metadata(c, "GET", path, header, err);
    return st == ST_OK ? take_json(c, err) : st;
}

static enum st from_instance(struct aws_credentials *c, struct err *err)
{
    const char *disabled = cloud_env(c->cloud, "AWS_EC2_METADATA_DISABLED");
    struct err why = ERR_INIT;

    if (disabled && strcasecmp(disabled, "true") == 0)
        return ST_OK;
    enum st st = ask_instance(c, &why);
    if (st == ST_OK)
        return ST_OK;
    return err_set(err, st,
                   "no credentials: neither AWS_ACCESS_KEY_ID, nor the profile %s in "
                   "~/.aws/credentials, nor a role (instance metadata: %s)",
                   c->profile, why.msg);
}

static enum st on_sts_end(void *ctx, const char *path, struct str text, bool is_encoded,
                          struct err *err)
{
    static const char base[] =
        "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
    const struct cloud_field *fields = ctx;
    (void)is_encoded;

    if (strncmp(path, base, sizeof(base) - 1) != 0)
        return ST_OK;
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(path + sizeof(base) - 1, fields[i].name) != 0)
            continue;
        if (text.len >= fields[i].size)
            return err_set(err, ST_REJECT, "%s is too long", fields[i].name);
        snprintf(fields[i].ret, fields[i].size, "%.*s", (int)text.len, text.p);
    }
    return ST_OK;
}

static enum st take_sts(struct aws_credentials *c, struct err *err)
{
    char expiration[64] = "";
    struct cloud_field fields[] = {
        {"AccessKeyId", c->keys.id, sizeof(c->keys.id)},
        {"SecretAccessKey", c->keys.secret, sizeof(c->keys.secret)},
        {"SessionToken", c->keys.token, sizeof(c->keys.token)},
        {"Expiration", expiration, sizeof(expiration)},
    };
    enum st st = xml_walk(buf_str(&c->answer.body), on_sts_end, fields, err);
    return st == ST_OK ? take(c, expiration, err) : st;
}

static enum st ask_sts(struct aws_credentials *c, const char *role, struct str token,
                       struct err *err)
{
    const char *given = cloud_env(c->cloud, "AWS_ENDPOINT_URL_STS");
    const char *session = cloud_env(c->cloud, "AWS_ROLE_SESSION_NAME");
    struct buf url = BUF_INIT(512), body = BUF_INIT(64 * 1024);

    if (given)
        buf_add_z(&url, given);
    else
        buf_addf(&url, "https://sts.%s.amazonaws.com%s/", c->region,
                 strncmp(c->region, "cn-", 3) == 0 ? ".cn" : "");
    buf_add_z(&body,
              "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&DurationSeconds=" ROLE_SECONDS
              "&RoleArn=");
    hash_percent(&body, str_of(role), false);
    buf_add_z(&body, "&RoleSessionName=");
    hash_percent(&body, str_of(session ? session : "geckotape"), false);
    buf_add_z(&body, "&WebIdentityToken=");
    hash_percent(&body, token, false);
    const struct http_call request = {
        .method = "POST",
        .url = buf_z(&url),
        .headers = STR("Content-Type: application/x-www-form-urlencoded\nAccept: text/xml\n"),
        .body = buf_str(&body),
        .is_plain = true};
    enum st st = buf_check(&body, "the token", err);
    if (st == ST_OK)
        st = cloud_ask(c->cloud, &request, &c->answer, err);
    if (st == ST_OK)
        st = take_sts(c, err);
    buf_release(&url);
    buf_release(&body);
    return st;
}

static enum st from_web_identity(struct aws_credentials *c, struct err *err)
{
    const char *file = cloud_env(c->cloud, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *role = cloud_env(c->cloud, "AWS_ROLE_ARN");
    struct buf token = BUF_INIT(MAX_TOKEN);

    if (file == NULL || role == NULL)
        return ST_OK;
    enum st st = read_line(file, &token, err);
    if (st == ST_OK)
        st = ask_sts(c, role, buf_str(&token), err);
    buf_release(&token);
    return st == ST_OK ? st : err_wrap(err, st, "credentials by web identity (STS): ");
}

static enum st find(struct aws_credentials *c, struct err *err)
{
    enum st (*const places[])(struct aws_credentials *, struct err *) = {
        from_environment, from_web_identity, from_files, from_container, from_instance};
    enum st st = ST_OK;

    c->is_there = c->is_temporary = false;
    c->expires_us = 0;
    for (size_t i = 0; st == ST_OK && !c->is_there && i < sizeof(places) / sizeof(places[0]); i++)
        st = places[i](c, err);
    if (st == ST_OK && !c->is_there)
        return err_set(err, ST_FATAL,
                       "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a "
                       "profile in ~/.aws/credentials");
    return st;
}

enum st aws_credentials_get(struct aws_credentials *c, const struct aws_keys **ret_keys,
                            struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    const bool is_fresh = c->is_there && (c->expires_us == 0 || now_us < c->wait_us ||
                                          now_us < c->expires_us - EARLY_US);

    if (!is_fresh) {
        const struct aws_credentials before = *c;
        enum st st = find(c, err);
        const bool is_good = before.is_there && now_us < before.expires_us;
        if (st != ST_OK && !is_good)
            return st;
        if (st != ST_OK) { /* the old ones last for some minutes more */
            c->keys = before.keys;
            c->expires_us = before.expires_us;
            c->is_there = c->is_temporary = true;
            c->wait_us =
                now_us + 60 * US_PER_S < c->expires_us ? now_us + 60 * US_PER_S : c->expires_us;
        }
    }
    *ret_keys = &c->keys;
    return ST_OK;
}

bool aws_credentials_renew(struct aws_credentials *c)
{
    bool can = c->is_temporary;
    if (can)
        c->is_there = false;
    return can;
}
