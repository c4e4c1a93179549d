/* The directory store: whole objects or none, conditions, order, nothing outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/object.h"

#include "base/clock.h"
#include "base/file.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static struct err err;
static struct object_put_result put;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_all(void)
{
    if (dir[0])
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A store in a fresh folder that is not there yet. */
static struct object_store *fresh(const char *name)
{
    char url[FILE_MAX_PATH];
    struct object_store *s;

    if (dir[0] == '\0') {
        snprintf(dir, sizeof(dir), "/tmp/geckotape-object-XXXXXX");
        if (mkdtemp(dir) == NULL)
            abort();
        atexit(remove_all);
    }
    snprintf(url, sizeof(url), "file:%s/%s/root", dir, name);
    if (object_open(url, NULL, &s, &err) != ST_OK)
        abort();
    return s;
}

static const char *path_of(const char *store, const char *name)
{
    static char path[FILE_MAX_PATH];
    snprintf(path, sizeof(path), "%s/%s/root/%s", dir, store, name);
    return path;
}

static bool is_put(struct object_store *s, const char *name, const char *text)
{
    return object_put(s, name, str_of(text), OBJECT_ALWAYS, NULL, &put, &err) == ST_OK &&
           !put.is_refused && put.etag[0];
}

static bool is_there(struct object_store *s, const char *name, const char *text)
{
    struct buf b = BUF_INIT(1000);
    bool there = false;
    enum st st = object_get(s, name, &b, NULL, &there, &err);
    bool is_same = st == ST_OK && there && str_eq(buf_str(&b), str_of(text));

    buf_release(&b);
    return is_same;
}

static void what_was_put_is_got(void)
{
    struct object_store *s = fresh("got");
    struct buf b = BUF_INIT(1000);
    struct object_info info, again;
    bool there = true;

    CHECK_OK(object_stat(s, "a/b=1/c", &info, &there, &err), err);
    CHECK(!there); /* neither the object nor the root */
    CHECK(is_put(s, "a/b=1/c", "hello"));
    CHECK_OK(object_get(s, "a/b=1/c", &b, &info, &there, &err), err);
    CHECK(there);
    CHECK_STR(buf_str(&b), "hello");
    CHECK_EQ(info.size, 5);
    CHECK_Z(info.etag, put.etag);
    CHECK_OK(object_stat(s, "a/b=1/c", &again, &there, &err), err);
    CHECK(there);
    CHECK_Z(again.etag, put.etag);
    CHECK_EQ(again.modified_us, info.modified_us);
    CHECK_OK(object_get(s, "a/b=1", &b, NULL, &there, &err), err);
    CHECK(!there); /* a folder is none */
    buf_release(&b);
    object_close(s);
}

static void a_range_ends_where_the_object_ends(void)
{
    struct object_store *s = fresh("range");
    struct buf b = BUF_INIT(1000);
    bool there = false;

    CHECK(is_put(s, "r", "0123456789"));
    CHECK_OK(object_get_range(s, "r", 2, 3, &b, &there, &err), err);
    CHECK(there);
    CHECK_STR(buf_str(&b), "234");
    CHECK_OK(object_get_range(s, "r", 8, 100, &b, &there, &err), err);
    CHECK_STR(buf_str(&b), "23489");
    CHECK_OK(object_get_range(s, "r", 10, 1, &b, &there, &err), err);
    CHECK_STR(buf_str(&b), "23489");
    CHECK_OK(object_get_range(s, "other", 0, 1, &b, &there, &err), err);
    CHECK(!there);
    CHECK_EQ(object_get_range(s, "r", -1, 1, &b, &there, &err), ST_REJECT);
    buf_release(&b);
    object_close(s);
}

static void a_ceiling_is_heeded(void)
{
    struct object_store *s = fresh("ceiling");
    struct buf b = BUF_INIT(9);
    bool there;

    CHECK(is_put(s, "r", "0123456789"));
    CHECK_EQ(object_get(s, "r", &b, NULL, &there, &err), ST_REJECT);
    buf_release(&b);
    object_close(s);
}

static void a_put_if_absent_replaces_nothing(void)
{
    struct object_store *s = fresh("absent");

    CHECK_OK(object_put(s, "log/1", STR("one"), OBJECT_ABSENT, NULL, &put, &err), err);
    CHECK(!put.is_refused);
    CHECK_OK(object_put(s, "log/1", STR("two"), OBJECT_ABSENT, NULL, &put, &err), err);
    CHECK(put.is_refused);
    CHECK(!put.is_unknown);
    CHECK_Z(put.etag, "");
    CHECK(is_there(s, "log/1", "one"));
    object_close(s);
}

static void a_put_that_must_match_replaces_only_what_was_seen(void)
{
    struct object_store *s = fresh("match");
    char first[OBJECT_MAX_ETAG];

    CHECK_OK(object_put(s, "head", STR("0"), OBJECT_MATCH, "x", &put, &err), err);
    CHECK(put.is_refused); /* there is none */
    CHECK(is_put(s, "head", "1"));
    snprintf(first, sizeof(first), "%s", put.etag);
    CHECK_OK(object_put(s, "head", STR("2"), OBJECT_MATCH, first, &put, &err), err);
    CHECK(!put.is_refused);
    CHECK(strcmp(first, put.etag) != 0);
    CHECK_OK(object_put(s, "head", STR("3"), OBJECT_MATCH, first, &put, &err), err);
    CHECK(put.is_refused);
    CHECK(is_there(s, "head", "2"));
    object_close(s);
}

static void the_same_bytes_put_again_have_another_etag(void)
{
    struct object_store *s = fresh("again");
    char seen[50][OBJECT_MAX_ETAG];
    struct object_info info;
    bool there;

    for (int i = 0; i < 50; i++) { /* within a tick of the kernel's clock; inodes come back */
        int64_t before_us = clock_wall_us(clock_system());
        CHECK(is_put(s, "head", "same"));
        CHECK_OK(object_stat(s, "head", &info, &there, &err), err);
        CHECK(info.modified_us >= before_us); /* not the kernel's, which lags behind */
        snprintf(seen[i], sizeof(seen[i]), "%s", put.etag);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(seen[k], seen[i]) != 0);
    }
    object_close(s);
}

#define N_THREADS 4
#define N_EACH    50

static atomic_int n_won;

/* Count up in "head" by compare and swap; take log/N if absent. */
static void *race(void *ctx)
{
    struct object_store *s;
    struct object_put_result p;
    struct object_info info;
    struct err e;
    char name[32], text[32];
    bool there;

    if (object_open(ctx, NULL, &s, &e) != ST_OK)
        abort();
    for (int i = 0; i < N_EACH; i++) {
        do {
            struct buf b = BUF_INIT(100);
            if (object_get(s, "head", &b, &info, &there, &e) != ST_OK || !there)
                abort();
            snprintf(text, sizeof(text), "%d", atoi(buf_z(&b)) + 1);
            buf_release(&b);
            if (object_put(s, "head", str_of(text), OBJECT_MATCH, info.etag, &p, &e) != ST_OK)
                abort();
        } while (p.is_refused);
        snprintf(name, sizeof(name), "log/%d", i);
        if (object_put(s, name, STR("x"), OBJECT_ABSENT, NULL, &p, &e) != ST_OK)
            abort();
        if (!p.is_refused)
            atomic_fetch_add(&n_won, 1);
    }
    object_close(s);
    return NULL;
}

static void of_many_writers_each_condition_lets_one_through(void)
{
    struct object_store *s = fresh("race");
    pthread_t threads[N_THREADS];
    char url[FILE_MAX_PATH];

    snprintf(url, sizeof(url), "%s", object_shown(s));
    CHECK(is_put(s, "head", "0"));
    for (int i = 0; i < N_THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, race, url), 0);
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(is_there(s, "head", "200")); /* no count was lost */
    CHECK_EQ(atomic_load(&n_won), N_EACH);
    object_close(s);
}

static enum st note(void *ctx, const char *name, const struct object_info *info,
                    bool *ret_is_enough, struct err *e)
{
    struct buf *b = ctx;
    (void)e;
    buf_addf(b, "%s:%d ", name, (int)info->size);
    *ret_is_enough = strcmp(name, "stop") == 0;
    return ST_OK;
}

static const char *listed(struct object_store *s, const char *prefix, const char *after)
{
    static struct buf b = BUF_INIT(10000);
    buf_clear(&b);
    if (object_list(s, prefix, after, note, &b, &err) != ST_OK)
        return err.msg;
    return buf_z(&b);
}

static void a_list_is_in_the_order_of_whole_names(void)
{
    static const char *const names[] = {"b",     "a/z/1", "a-b", "a/b",  "a.b",
                                        "a/b-c", "a0",    "a/é", "stop", "x"};
    struct object_store *s = fresh("list");

    CHECK_Z(listed(s, "", NULL), "");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        CHECK(is_put(s, names[i], "12"));
    CHECK_Z(listed(s, "", NULL), "a-b:2 a.b:2 a/b:2 a/b-c:2 a/z/1:2 a/é:2 a0:2 b:2 stop:2 ");
    CHECK_Z(listed(s, "a/", NULL), "a/b:2 a/b-c:2 a/z/1:2 a/é:2 ");
    CHECK_Z(listed(s, "a/b", NULL), "a/b:2 a/b-c:2 ");
    CHECK_Z(listed(s, "a/b", "a/b"), "a/b-c:2 ");
    CHECK_Z(listed(s, "a", "a/b-c"), "a/z/1:2 a/é:2 a0:2 ");
    CHECK_Z(listed(s, "", "b"), "stop:2 ");
    CHECK_Z(listed(s, "nothing/", NULL), "");
    object_close(s);
}

static void what_is_no_object_is_not_listed(void)
{
    struct object_store *s = fresh("alien");

    CHECK(is_put(s, "a/b", "1"));
    CHECK_EQ(symlink("/etc/passwd", path_of("alien", "a/link")), 0);
    CHECK_EQ(symlink("/etc", path_of("alien", "folder")), 0);
    CHECK_EQ(mkfifo(path_of("alien", "pipe"), 0600), 0);
    CHECK_Z(listed(s, "", NULL), "a/b:1 ");
    object_close(s);
}

static void no_name_leads_outside(void)
{
    static const char *const bad[] = {
        "",     "/a",   "a/",   "a//b", "..", "../a", "a/..", "./a", ".geckotape/lock",
        "a\nb", "a\\b", "\xff", "a/./b"};
    struct object_store *s = fresh("names");
    char longest[OBJECT_MAX_NAME + 2];
    struct buf b = BUF_INIT(100);
    bool there;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_EQ(object_put(s, bad[i], STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
        CHECK_EQ(object_get(s, bad[i], &b, NULL, &there, &err), ST_REJECT);
        CHECK_EQ(object_delete(s, bad[i], &err), ST_REJECT);
    }
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CHECK_EQ(object_put(s, longest, STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
    buf_release(&b);
    object_close(s);
}

static void no_link_is_followed(void)
{
    struct object_store *s = fresh("links");
    char outside[FILE_MAX_PATH];
    struct buf b = BUF_INIT(10000);
    struct object_info info;
    struct stat about;
    bool there;

    CHECK(is_put(s, "a", "1"));
    snprintf(outside, sizeof(outside), "%s/links/outside", dir);
    CHECK_EQ(mkdir(outside, 0755), 0);
    CHECK_EQ(symlink("../outside", path_of("links", "folder")), 0);
    CHECK_EQ(symlink("/etc/passwd", path_of("links", "file")), 0);
    CHECK_EQ(object_put(s, "folder/x", STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
    CHECK_EQ(object_put(s, "folder/x", STR("x"), OBJECT_ABSENT, NULL, &put, &err), ST_REJECT);
    CHECK_EQ(object_put(s, "file", STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
    CHECK_EQ(object_put(s, "file", STR("x"), OBJECT_ABSENT, NULL, &put, &err), ST_REJECT);
    CHECK(strstr(err.msg, "symbolic link") != NULL);
    CHECK_EQ(object_get(s, "file", &b, NULL, &there, &err), ST_REJECT);
    CHECK_EQ(object_stat(s, "folder/x", &info, &there, &err), ST_REJECT);
    strcat(outside, "/x");
    CHECK(stat(outside, &about) != 0);
    buf_release(&b);
    object_close(s);
}

static void a_name_that_is_a_folder_or_goes_through_a_file_is_refused(void)
{
    struct object_store *s = fresh("kinds");

    CHECK(is_put(s, "a/b", "1"));
    CHECK_EQ(object_put(s, "a", STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
    CHECK_EQ(object_put(s, "a", STR("x"), OBJECT_ABSENT, NULL, &put, &err), ST_REJECT);
    CHECK_EQ(object_put(s, "a/b/c", STR("x"), OBJECT_ALWAYS, NULL, &put, &err), ST_REJECT);
    CHECK(is_there(s, "a/b", "1"));
    object_close(s);
}

static void what_is_deleted_is_gone_and_may_be_gone_before(void)
{
    struct object_store *s = fresh("delete");
    struct object_info info;
    bool there = true;

    CHECK_OK(object_delete(s, "a/b", &err), err);
    CHECK(is_put(s, "a/b", "1"));
    CHECK_OK(object_delete(s, "a/b", &err), err);
    CHECK_OK(object_delete(s, "a/b", &err), err);
    CHECK_OK(object_stat(s, "a/b", &info, &there, &err), err);
    CHECK(!there);
    CHECK_OK(object_put(s, "a/b", STR("2"), OBJECT_ABSENT, NULL, &put, &err), err);
    CHECK(!put.is_refused);
    object_close(s);
}

static void an_upload_is_seen_when_it_is_finished(void)
{
    struct object_store *s = fresh("upload");
    struct object_upload *u, *dropped;

    CHECK_OK(object_upload_start(s, "d/u", &u, &err), err);
    CHECK_OK(object_upload_start(s, "d/dropped", &dropped, &err), err);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(object_upload_add(u, STR("abc"), &err), err);
        CHECK_OK(object_upload_add(dropped, STR("abc"), &err), err);
    }
    CHECK_Z(listed(s, "", NULL), "");
    CHECK_OK(object_upload_finish(u, OBJECT_ABSENT, NULL, &put, &err), err);
    object_upload_abort(dropped);
    CHECK_Z(listed(s, "", NULL), "d/u:9 ");
    CHECK(is_there(s, "d/u", "abcabcabc"));
    CHECK_OK(object_upload_start(s, "d/u", &u, &err), err);
    CHECK_OK(object_upload_finish(u, OBJECT_ABSENT, NULL, &put, &err), err);
    CHECK(put.is_refused);
    object_close(s);
}

/* How many files lie in the store's own folder, but for the lock. */
static int n_left(const char *store)
{
    char pattern[FILE_MAX_PATH + 32];
    snprintf(pattern, sizeof(pattern), "ls %s | grep -c tmp-", path_of(store, ".geckotape"));
    FILE *p = popen(pattern, "r");
    int n = -1;
    if (p == NULL || fscanf(p, "%d", &n) != 1)
        abort();
    pclose(p);
    return n;
}

static void what_a_killed_writer_left_is_removed_what_a_living_one_writes_is_not(void)
{
    struct object_store *s = fresh("killed"), *other = fresh("killed");
    struct object_upload *u;
    int status = 0;

    CHECK_OK(object_upload_start(s, "living", &u, &err), err);
    CHECK_OK(object_upload_add(u, STR("abc"), &err), err);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct object_store *t;
        struct object_upload *v;
        if (object_open(object_shown(s), NULL, &t, &err) != ST_OK ||
            object_upload_start(t, "dead", &v, &err) != ST_OK ||
            object_upload_add(v, STR("abc"), &err) != ST_OK)
            _exit(1);
        raise(SIGKILL);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(n_left("killed"), 2);
    CHECK(is_put(other, "x", "1")); /* its first put sweeps */
    CHECK_EQ(n_left("killed"), 1);
    CHECK_OK(object_upload_finish(u, OBJECT_ALWAYS, NULL, &put, &err), err);
    CHECK_EQ(n_left("killed"), 0);
    CHECK_Z(listed(s, "", NULL), "living:3 x:1 ");
    object_close(s);
    object_close(other);
}

static void a_url_names_a_store_or_is_refused(void)
{
    static const char *const bad[] = {"", "file:", "ftp://a/b", "file:x?colour=red"};
    struct object_store *s;
    struct sink_url url;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_EQ(object_open(bad[i], NULL, &s, &err), ST_REJECT);
    CHECK_OK(object_open("./some/dir", NULL, &s, &err), err);
    CHECK_Z(object_shown(s), "./some/dir");
    object_close(s);
    CHECK_OK(sink_url_parse(STR("lake:some/dir?every=10m"), &url, &err), err);
    CHECK_OK(object_open_url(&url, "lake+", NULL, &s, &err), err);
    object_close(s);
    CHECK_OK(sink_url_parse(STR("lake+ftp://some/dir"), &url, &err), err);
    CHECK_EQ(object_open_url(&url, "lake+", NULL, &s, &err), ST_REJECT);
}

TAP_MAIN(TAP_CASE(what_was_put_is_got), TAP_CASE(a_range_ends_where_the_object_ends),
         TAP_CASE(a_ceiling_is_heeded), TAP_CASE(a_put_if_absent_replaces_nothing),
         TAP_CASE(a_put_that_must_match_replaces_only_what_was_seen),
         TAP_CASE(the_same_bytes_put_again_have_another_etag),
         TAP_CASE(of_many_writers_each_condition_lets_one_through),
         TAP_CASE(a_list_is_in_the_order_of_whole_names), TAP_CASE(what_is_no_object_is_not_listed),
         TAP_CASE(no_name_leads_outside), TAP_CASE(no_link_is_followed),
         TAP_CASE(a_name_that_is_a_folder_or_goes_through_a_file_is_refused),
         TAP_CASE(what_is_deleted_is_gone_and_may_be_gone_before),
         TAP_CASE(an_upload_is_seen_when_it_is_finished),
         TAP_CASE(what_a_killed_writer_left_is_removed_what_a_living_one_writes_is_not),
         TAP_CASE(a_url_names_a_store_or_is_refused))
