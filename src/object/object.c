/* SPDX-License-Identifier: Apache-2.0 */
#include "object/object.h"

#include "base/mem.h"
#include "object/driver.h"

#include <stdio.h>

struct object_store {
    const struct object_driver *driver;
    struct object_setup setup;
    void *state;
    char shown[SINK_URL_MAX];
};

struct object_upload {
    struct object_store *store;
    void *state;
    char name[OBJECT_MAX_NAME + 1];
};

const char *const object_options[] = {"endpoint", "profile", "region", "signature", "style", NULL};

static const struct object_driver *const drivers[] = {&object_directory, &object_s3, &object_azure,
                                                      &object_azure_abfss};

#define OWN_FOLDER ".geckotape"

static bool is_part(struct str part)
{
    return part.len > 0 && !str_eq(part, STR(".")) && !str_eq(part, STR(".."));
}

bool object_is_name(struct str name)
{
    struct str rest = name, part;
    bool is_first = true, has_more = true;

    if (name.len == 0 || name.len > OBJECT_MAX_NAME || !str_is_utf8(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f || name.p[i] == '\\')
            return false;
    while (has_more) {
        has_more = str_cut(&rest, '/', &part);
        if (!is_part(part) || (is_first && str_eq(part, STR(OWN_FOLDER))))
            return false;
        is_first = false;
    }
    return true;
}

enum st object_prefix(struct str rest, char *ret, size_t size, struct err *err)
{
    while (str_ends(rest, STR("/")))
        rest.len--;
    ret[0] = '\0';
    if (rest.len == 0)
        return ST_OK;
    if (!object_is_name(rest) || rest.len + 2 > size)
        return err_set(err, ST_REJECT, "\"%.*s\" is no prefix of objects' names", STR_ARG(rest));
    snprintf(ret, size, "%.*s/", STR_ARG(rest));
    return ST_OK;
}

static enum st check_name(const char *name, struct err *err)
{
    if (object_is_name(str_of(name)))
        return ST_OK;
    struct buf clean = BUF_INIT(100);
    buf_add_clean(&clean, str_of(name), 80);
    enum st st = err_set(err, ST_REJECT, "\"%s\": not the name of an object", buf_z(&clean));
    buf_release(&clean);
    return st;
}

/* "sqlite+s3" without "sqlite+" is "s3"; without all of it, a directory. */
static struct str scheme_of(const struct sink_url *url, const char *skip)
{
    struct str scheme = str_of(url->scheme), without = str_of(skip);

    if (without.len == 0)
        return scheme;
    if (str_starts(scheme, without))
        return (struct str){scheme.p + without.len, scheme.len - without.len};
    return STR("file");
}

static const struct object_driver *driver_of(struct str scheme)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (str_eq(scheme, str_of(drivers[i]->scheme)))
            return drivers[i];
    return NULL;
}

enum st object_open_url(const struct sink_url *url, const char *skip,
                        const struct object_setup *setup, struct object_store **ret_store,
                        struct err *err)
{
    static const struct object_setup usual = {.env = NULL};
    struct str scheme = scheme_of(url, skip);
    const struct object_driver *driver = driver_of(scheme);

    if (driver == NULL)
        return err_set(
            err, ST_REJECT,
            "%s: there is no store \"%.*s\"; there are DIR, file:DIR, s3://BUCKET/PREFIX, "
            "az://ACCOUNT/CONTAINER/PREFIX",
            url->shown, STR_ARG(scheme));
    struct object_store *store = mem_new(1, sizeof(*store));
    store->driver = driver;
    store->setup = setup ? *setup : usual;
    snprintf(store->shown, sizeof(store->shown), "%s", url->shown);
    enum st st = driver->open(str_of(url->rest), url, &store->setup, &store->state, err);
    if (st != ST_OK) {
        object_close(store);
        return err_wrap(err, st, "%s: ", url->shown);
    }
    *ret_store = store;
    return ST_OK;
}

/* "./x", "/x", "x" and "x/y:z" have no scheme. */
static bool is_path(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon == NULL || memchr(text, '/', (size_t)(colon - text)) != NULL;
}

static enum st parse(const char *text, struct sink_url *ret_url, struct err *err)
{
    struct str path = str_of(text);

    if (!is_path(text)) {
        enum st st = sink_url_parse(path, ret_url, err);
        return st == ST_OK ? sink_url_check_options(ret_url, object_options, err) : st;
    }
    if (path.len == 0 || path.len >= sizeof(ret_url->rest) || !str_is_utf8(path))
        return err_set(err, ST_REJECT, "not a directory: \"%.32s\"", text);
    *ret_url = (struct sink_url){.scheme = "file"};
    memcpy(ret_url->rest, path.p, path.len);
    memcpy(ret_url->text, path.p, path.len);
    memcpy(ret_url->shown, path.p, path.len);
    return ST_OK;
}

enum st object_open(const char *text, const struct object_setup *setup,
                    struct object_store **ret_store, struct err *err)
{
    struct sink_url *url = mem_new(1, sizeof(*url));
    enum st st = parse(text, url, err);

    if (st == ST_OK)
        st = object_open_url(url, "", setup, ret_store, err);
    mem_free(url);
    return st;
}

void object_close(struct object_store *store)
{
    if (store == NULL)
        return;
    if (store->state)
        store->driver->close(store->state);
    mem_free(store);
}

void object_cancel(struct object_store *store)
{
    if (store->driver->cancel)
        store->driver->cancel(store->state);
}

const char *object_shown(const struct object_store *store)
{
    return store->shown;
}

static enum st of_object(const struct object_store *store, const char *name, enum st st,
                         struct err *err)
{
    return st == ST_OK ? st : err_wrap(err, st, "%s: %s: ", store->shown, name);
}

enum st object_put(struct object_store *store, const char *name, struct str bytes,
                   enum object_if condition, const char *etag, struct object_put_result *ret,
                   struct err *err)
{
    *ret = (struct object_put_result){.is_refused = false};
    enum st st = check_name(name, err);
    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", store->shown);
    st = store->driver->put(store->state, name, bytes, condition, etag, ret, err);
    return of_object(store, name, st, err);
}

enum st object_upload_start(struct object_store *store, const char *name,
                            struct object_upload **ret_upload, struct err *err)
{
    void *state;
    enum st st = check_name(name, err);

    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", store->shown);
    st = store->driver->upload_start(store->state, name, &state, err);
    if (st != ST_OK)
        return of_object(store, name, st, err);
    struct object_upload *upload = mem_new(1, sizeof(*upload));
    upload->store = store;
    upload->state = state;
    snprintf(upload->name, sizeof(upload->name), "%s", name);
    *ret_upload = upload;
    return ST_OK;
}

enum st object_upload_add(struct object_upload *upload, struct str bytes, struct err *err)
{
    enum st st = upload->store->driver->upload_add(upload->state, bytes, err);
    return of_object(upload->store, upload->name, st, err);
}

enum st object_upload_finish(struct object_upload *upload, enum object_if condition,
                             const char *etag, struct object_put_result *ret, struct err *err)
{
    *ret = (struct object_put_result){.is_refused = false};
    enum st st = upload->store->driver->upload_finish(upload->state, condition, etag, ret, err);
    st = of_object(upload->store, upload->name, st, err);
    mem_free(upload);
    return st;
}

void object_upload_abort(struct object_upload *upload)
{
    if (upload == NULL)
        return;
    upload->store->driver->upload_abort(upload->state);
    mem_free(upload);
}

static enum st get(struct object_store *store, const char *name, int64_t from, int64_t len,
                   struct buf *ret_bytes, struct object_info *ret_info, bool *ret_is_there,
                   struct err *err)
{
    struct object_info info = {.size = 0};
    enum st st = check_name(name, err);

    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", store->shown);
    st = store->driver->get(store->state, name, from, len, ret_bytes, &info, ret_is_there, err);
    if (st == ST_OK && ret_info)
        *ret_info = info;
    return of_object(store, name, st, err);
}

enum st object_get(struct object_store *store, const char *name, struct buf *ret_bytes,
                   struct object_info *ret_info, bool *ret_is_there, struct err *err)
{
    return get(store, name, 0, -1, ret_bytes, ret_info, ret_is_there, err);
}

enum st object_get_range(struct object_store *store, const char *name, int64_t from, size_t len,
                         struct buf *ret_bytes, bool *ret_is_there, struct err *err)
{
    if (from < 0 || len == 0 || len > INT64_MAX / 2 || from > INT64_MAX / 2)
        return err_set(err, ST_REJECT, "%s: %s: %zu bytes at %lld are no range", store->shown, name,
                       len, (long long)from);
    return get(store, name, from, (int64_t)len, ret_bytes, NULL, ret_is_there, err);
}

enum st object_stat(struct object_store *store, const char *name, struct object_info *ret_info,
                    bool *ret_is_there, struct err *err)
{
    struct object_info info = {.size = 0};
    enum st st = check_name(name, err);

    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", store->shown);
    st = store->driver->stat(store->state, name, &info, ret_is_there, err);
    if (st == ST_OK)
        *ret_info = info;
    return of_object(store, name, st, err);
}

enum st object_list(struct object_store *store, const char *prefix, const char *start_after,
                    object_each *each, void *ctx, struct err *err)
{
    enum st st = store->driver->list(store->state, prefix, start_after, each, ctx, err);
    return st == ST_OK ? st : err_wrap(err, st, "%s: list of \"%s\": ", store->shown, prefix);
}

enum st object_delete(struct object_store *store, const char *name, struct err *err)
{
    enum st st = check_name(name, err);

    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", store->shown);
    st = store->driver->remove(store->state, name, err);
    return of_object(store, name, st, err);
}
