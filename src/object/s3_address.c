/* Where a bucket is: region, endpoint, path or virtual-host style. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/driver.h"
#include "object/s3.h"

#include <stdio.h>

static bool is_bucket(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
              c == '_' || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return name.len >= 3 && name.len < 256 && name.p[0] != '.' && name.p[0] != '-';
}

static enum st bucket_and_prefix(struct s3 *s, struct str rest, struct err *err)
{
    struct str bucket;

    if (!str_starts(rest, STR("//")))
        return err_set(err, ST_REJECT, "a bucket is written s3://BUCKET/PREFIX");
    rest = (struct str){rest.p + 2, rest.len - 2};
    str_cut(&rest, '/', &bucket);
    if (!is_bucket(bucket))
        return err_set(err, ST_REJECT, "\"%.*s\" is no bucket's name", STR_ARG(bucket));
    snprintf(s->bucket, sizeof(s->bucket), "%.*s", STR_ARG(bucket));
    return object_prefix(rest, s->prefix, sizeof(s->prefix), err);
}

static enum st style(struct s3 *s, const struct sink_url *url, bool is_own, bool *ret_is_path,
                     struct err *err)
{
    const char *wanted = sink_url_option(url, "style");

    /* a certificate for *.s3… does not cover two labels */
    *ret_is_path = is_own || strchr(s->bucket, '.') != NULL;
    if (wanted && strcmp(wanted, "auto") != 0 && strcmp(wanted, "path") != 0 &&
        strcmp(wanted, "virtual") != 0)
        return err_set(err, ST_REJECT, "style=%s: auto, path or virtual", wanted);
    if (wanted && strcmp(wanted, "auto") != 0)
        *ret_is_path = strcmp(wanted, "path") == 0;
    return ST_OK;
}

static enum st signature(struct s3 *s, const struct sink_url *url, struct str host, struct err *err)
{
    const char *wanted = sink_url_option(url, "signature");

    if (wanted && strcmp(wanted, "aws") != 0 && strcmp(wanted, "google") != 0)
        return err_set(err, ST_REJECT, "signature=%s: aws or google", wanted);
    s->is_google =
        wanted ? strcmp(wanted, "google") == 0 : str_ends(host, STR("storage.googleapis.com"));
    s->has_checksums = !s->is_google;
    return ST_OK;
}

enum st s3_address(struct s3 *s, struct str rest, const struct sink_url *url, struct err *err)
{
    const char *given = sink_url_option(url, "endpoint"), *region = sink_url_option(url, "region");
    struct str scheme, host, base;
    struct buf usual = BUF_INIT(512);
    bool is_path = false;
    enum st st = bucket_and_prefix(s, rest, err);

    if (given == NULL)
        given = cloud_env(s->cloud, "AWS_ENDPOINT_URL_S3");
    if (given == NULL)
        given = cloud_env(s->cloud, "AWS_ENDPOINT_URL");
    if (region)
        snprintf(s->region, sizeof(s->region), "%s", region);
    else
        aws_credentials_region(s->cloud, sink_url_option(url, "profile"), s->region,
                               sizeof(s->region));
    if (s->region[0] == '\0')
        snprintf(s->region, sizeof(s->region), "us-east-1");
    buf_addf(&usual, "https://s3.%s.amazonaws.com%s", s->region,
             strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
    if (st == ST_OK)
        st = cloud_endpoint(given ? str_of(given) : buf_str(&usual), &scheme, &host, &base, err);
    if (st == ST_OK)
        st = style(s, url, given != NULL, &is_path, err);
    if (st == ST_OK)
        st = signature(s, url, host, err);
    if (st == ST_OK) {
        snprintf(s->host, sizeof(s->host), "%s%s%.*s", is_path ? "" : s->bucket, is_path ? "" : ".",
                 STR_ARG(host));
        snprintf(s->origin, sizeof(s->origin), "%.*s://%s", STR_ARG(scheme), s->host);
        snprintf(s->base, sizeof(s->base), "%.*s%s%s", STR_ARG(base), is_path ? "/" : "",
                 is_path ? s->bucket : "");
    }
    buf_release(&usual);
    return st;
}
