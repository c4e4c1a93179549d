/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/json.h"
#include "base/mem.h"
#include "tape/upkeep.h"

#include <signal.h>
#include <sys/resource.h>

#define N_POLLS 4 /* in the segment that is sealed: offsets 1 to 2 * N_POLLS */
#define N       (2 * (uint64_t)N_POLLS)

static const char html[] = "<html>\n502 Bad Gateway</html>\n";

/* A poll whose answer is no JSON: records 2k+1 and 2k+2 like the others. */
static enum st put_bad_poll(struct fixture *f, struct str body)
{
    uint64_t offset;
    enum st st = put_page(f, 1, body, &offset);
    return st == ST_OK ? put_end(f, POLL_FAILED, NULL, 0, &offset) : st;
}

/* A tape of two segments, the first of N_POLLS polls of which the third is not JSON, and closed. */
static void make_tape(struct fixture *f)
{
    fixture_init(f);
    for (int i = 0; i < N_POLLS; i++)
        if ((i == 2 ? put_bad_poll(f, str_of(html)) : put_poll(f)) != ST_OK)
            abort();
    f->clock.now_us += 3600 * US_PER_S;
    if (put_poll(f) != ST_OK)
        abort();
    fixture_close(f);
}

static enum st seal_all(struct fixture *f, size_t *ret_n)
{
    const struct tape_seal_setup setup = {.dir = f->dir};
    struct tape_sealed sealed;
    char after[64] = "";
    enum st st;

    *ret_n = 0;
    while ((st = tape_seal_next(&setup, after, &sealed, &f->err)) == ST_OK &&
           sealed.segment[0] != '\0')
        ++*ret_n;
    return st;
}

/* The bytes of a sealed segment of N_POLLS polls; its path. */
static void make_sealed(struct fixture *f, char path[FILE_MAX_PATH], struct buf *bytes)
{
    size_t n;

    make_tape(f);
    if (seal_all(f, &n) != ST_OK || n != 1 || !segment_path_at(f->dir, 0, path) ||
        read_file(path, bytes) != ST_OK)
        abort();
}

static bool is_right_body(const struct tape_record *r, struct str body)
{
    char want[64];

    int n = snprintf(want, sizeof(want), "[{\"id\":\"coin\",\"at\":%llu}]",
                     (unsigned long long)r->offset);
    return r->is_json ? str_eq(body, (struct str){want, (size_t)n}) : str_eq(body, str_of(html));
}

struct view {
    uint64_t n, n_holes, n_bad_bodies, last;
    uint64_t hashes[2 * N + 8];
    bool is_wrong;
    enum st st;
    struct err err;
};

/* Read all of it, with its bodies. */
static struct view look(const char *dir)
{
    struct view v = {.n = 0};
    struct tape_record r;
    struct tape_reader *reader;
    struct arena arena;
    struct str body;

    arena_init(&arena, 4 << 20);
    v.st = tape_reader_open(dir, &reader, &v.err);
    while (v.st == ST_OK || v.st == ST_REJECT) {
        v.st = tape_reader_next(reader, UINT64_MAX, &r, &v.err);
        v.n_holes += v.st == ST_REJECT;
        if (v.st != ST_OK)
            continue;
        v.is_wrong = v.is_wrong || r.offset <= v.last || r.offset > 2 * N;
        v.last = r.offset;
        v.n++;
        if (!v.is_wrong)
            v.hashes[r.offset] = r.hash;
        if (r.type != TAPE_PAGE)
            continue;
        arena_reset(&arena);
        if (tape_reader_body(reader, &r, &arena, &body, &v.err) != ST_OK)
            v.n_bad_bodies++;
        else
            v.is_wrong = v.is_wrong || !is_right_body(&r, body);
    }
    tape_reader_close(reader);
    arena_release(&arena);
    return v;
}

static void zstdcat_all(const char *dir, struct buf *ret)
{
    char command[FILE_MAX_PATH + 32];

    snprintf(command, sizeof(command), "zstdcat %s/*.zst", dir);
    FILE *out = popen(command, "r");
    for (int c; out != NULL && (c = getc(out)) != EOF;)
        buf_add_char(ret, (char)c);
    if (out == NULL || pclose(out) != 0)
        buf_add_z(ret, "zstdcat failed");
}

static void sealing_changes_no_record_and_no_body(void)
{
    struct fixture f;
    struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    struct tape_usage u;
    size_t n;

    make_tape(&f);
    struct view was = look(f.dir);
    CHECK(was.n == N + 2 && !was.is_wrong && was.n_bad_bodies == 0);
    zstdcat_all(f.dir, &before);
    CHECK(before.len > 0);
    CHECK_OK(seal_all(&f, &n), f.err);
    CHECK_EQ(n, 1); /* the last one is not closed */
    struct view is = look(f.dir);
    CHECK(is.n == N + 2 && !is.is_wrong && is.n_bad_bodies == 0 && is.n_holes == 0);
    CHECK(memcmp(is.hashes, was.hashes, sizeof(is.hashes)) == 0);
    zstdcat_all(f.dir, &after);
    CHECK(str_eq(buf_str(&before), buf_str(&after)));
    CHECK_EQ(count_problems(f.dir), 0);
    CHECK_OK(tape_usage(f.dir, NOON, &u, &f.err), f.err);
    CHECK(u.n_segments == 2 && u.n_sealed == 1);
    CHECK_OK(seal_all(&f, &n), f.err);
    CHECK_EQ(n, 0); /* there is nothing left to do */
    /* the collector goes on */
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, N + 2);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(look(f.dir).n, N + 4);
    buf_release(&before);
    buf_release(&after);
    fixture_release(&f);
}

static const char *check_flip(const struct fixture *f)
{
    struct view v = look(f->dir);

    if (v.is_wrong)
        return "a wrong body or a wrong order";
    if (v.st != ST_AGAIN)
        return "the reader stops";
    if (v.last != N + 2 || v.n + 1 < N + 2)
        return "more is lost than one record";
    if (v.n < N + 2 && (v.n_holes != 1 || v.n_bad_bodies > 0))
        return "a lost header costs more than its record";
    if (count_problems(f->dir) == 0)
        return "verify finds nothing";
    return NULL;
}

static void every_flipped_byte_of_a_sealed_segment_is_found(void)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xFF};
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];

    make_sealed(&f, path, &bytes);
    CHECK_EQ(count_problems(f.dir), 0);
    for (size_t i = 0; i < bytes.len; i++)
        for (size_t m = 0; m < sizeof(masks); m++) {
            bytes.p[i] = (char)(bytes.p[i] ^ masks[m]);
            write_file(path, bytes.p, bytes.len);
            bytes.p[i] = (char)(bytes.p[i] ^ masks[m]);
            const char *problem = check_flip(&f);
            if (problem)
                TAP_FAIL("byte %zu of %zu, mask %02x: %s", i, bytes.len, masks[m], problem);
        }
    buf_release(&bytes);
    fixture_release(&f);
}

static void a_sealed_segment_cut_anywhere_gives_what_it_holds(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    struct index index;

    make_sealed(&f, path, &bytes);
    size_t len = format_index_tail((uint8_t *)bytes.p + bytes.len - FORMAT_INDEX_TAIL);
    CHECK(format_get_index((uint8_t *)bytes.p + bytes.len - len, len, &index));
    size_t last = format_index_record(&index, (uint32_t)N - 1).at;
    for (size_t cut = 0; cut < bytes.len; cut++) {
        write_file(path, bytes.p, cut);
        struct view v = look(f.dir);
        CHECK(!v.is_wrong && v.st == ST_AGAIN && v.last == N + 2);
        CHECK(count_problems(f.dir) > 0);
        if (cut >= index.records_len)
            CHECK(v.n == N + 2 && v.n_holes == 0);
        if (cut < last)
            CHECK(v.n_holes == 1);
        if (cut >= bytes.len - len) /* only the second index is cut */
            CHECK_EQ(v.n_bad_bodies, 0);
    }
    buf_release(&bytes);
    fixture_release(&f);
}

static void one_damaged_index_costs_nothing(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), damaged = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    struct index index;

    make_sealed(&f, path, &bytes);
    size_t len = format_index_tail((uint8_t *)bytes.p + bytes.len - FORMAT_INDEX_TAIL);
    CHECK(format_get_index((uint8_t *)bytes.p + bytes.len - len, len, &index));
    for (int i = 0; i < 2; i++) {
        buf_clear(&damaged);
        buf_add_str(&damaged, buf_str(&bytes));
        memset(damaged.p + (i == 0 ? index.records_len : bytes.len - len), 'x', len);
        write_file(path, damaged.p, damaged.len);
        struct view v = look(f.dir);
        CHECK(v.n == N + 2 && v.n_holes == 0 && v.n_bad_bodies == 0 && !v.is_wrong);
        CHECK(count_problems(f.dir) > 0);
    }
    /* the last index and the first envelope: the records are found, and the other index */
    memset(damaged.p, 'x', 50);
    write_file(path, damaged.p, damaged.len);
    struct view v = look(f.dir);
    CHECK(v.n == N + 1 && v.n_bad_bodies == 0 && !v.is_wrong);
    buf_release(&bytes);
    buf_release(&damaged);
    fixture_release(&f);
}

static void any_record_of_a_sealed_segment_can_be_fetched(void)
{
    static const uint64_t order[] = {1, 2, 7, 3, 3, 8, 5, 6, 5, 7, 9, 1, 10, 7};
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;
    char path[FILE_MAX_PATH];

    make_sealed(&f, path, &bytes);
    arena_init(&arena, 1 << 20);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        CHECK_OK(tape_reader_get(r, order[i], &record, &f.err), f.err);
        CHECK_EQ(record.offset, order[i]);
        if (record.type == TAPE_END)
            continue;
        arena_reset(&arena);
        CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
        CHECK(is_right_body(&record, body));
        for (size_t k = 0; k < JSON_PADDING; k++)
            CHECK_EQ(body.p[body.len + k], 0);
    }
    tape_reader_seek(r, 6);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(record.offset, 6);
    tape_reader_close(r);
    arena_release(&arena);
    buf_release(&bytes);
    fixture_release(&f);
}

static void a_reader_goes_on_across_sealing(void)
{
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;
    size_t n;

    make_tape(&f);
    arena_init(&arena, 1 << 20);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (uint64_t i = 1; i <= N + 2; i++) {
        CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
        CHECK_EQ(record.offset, i);
        if (i == 3) { /* between a record and its body */
            CHECK_OK(seal_all(&f, &n), f.err);
            CHECK_EQ(n, 1);
        }
        if (record.type == TAPE_PAGE) {
            CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
            CHECK(is_right_body(&record, body));
        }
    }
    CHECK_OK(tape_reader_get(r, 7, &record, &f.err), f.err);
    CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
    CHECK(is_right_body(&record, body));
    tape_reader_close(r);
    arena_release(&arena);
    fixture_release(&f);
}

/* Many pages of many sizes, so that there are several frames; every body must come back. */
static void bodies_of_any_size_come_back_from_several_frames(void)
{
    static const size_t sizes[] = {2,       0, 9 << 20, 5 << 20, 7 << 20, 20 << 20,
                                   1 << 20, 3, 0,       16384,   16 << 20};
    const size_t n_sizes = sizeof(sizes) / sizeof(sizes[0]);
    struct fixture f;
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;
    uint64_t offset;
    size_t n;
    char *bytes = mem_new(32 << 20, 1);

    fixture_init(&f);
    for (size_t i = 0; i < n_sizes; i++) {
        for (size_t k = 0; k < sizes[i]; k++) /* compressible, and not the same twice */
            bytes[k] = (char)('a' + (k * (i + 3) >> 7) % 23);
        bytes[0] = i % 4 == 3 ? 'x' : '[';
        CHECK_OK(put_page(&f, 1, (struct str){bytes, sizes[i]}, &offset), f.err);
        CHECK_OK(put_end(&f, POLL_FAILED, NULL, 0, &offset), f.err);
    }
    f.clock.now_us += 3600 * US_PER_S;
    CHECK_OK(put_poll(&f), f.err);
    CHECK_OK(seal_all(&f, &n), f.err);
    CHECK_EQ(n, 1);
    CHECK_EQ(count_problems(f.dir), 0);
    arena_init(&arena, 64 << 20);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t j = 0; j < n_sizes; j++) {
            size_t i = pass == 0 ? j : n_sizes - 1 - j;
            CHECK_OK(tape_reader_get(r, 2 * i + 1, &record, &f.err), f.err);
            arena_reset(&arena);
            CHECK_OK(tape_reader_body(r, &record, &arena, &body, &f.err), f.err);
            CHECK_EQ(body.len, sizes[i]);
        }
    tape_reader_close(r);
    arena_release(&arena);
    mem_free(bytes);
    fixture_release(&f);
}

static void a_damaged_segment_is_never_sealed(void)
{
    const struct tape_seal_setup setup_of = {.dir = NULL};
    struct tape_seal_setup setup = setup_of;
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), after_bytes = BUF_INIT(1 << 20);
    struct tape_sealed sealed;
    char path[FILE_MAX_PATH], after[64];

    make_tape(&f);
    setup.dir = f.dir;
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(read_file(path, &bytes), ST_OK);
    for (size_t i = 0; i < bytes.len; i += 7) {
        bytes.p[i] = (char)(bytes.p[i] ^ 0x10);
        write_file(path, bytes.p, bytes.len);
        after[0] = '\0';
        CHECK_EQ(tape_seal_next(&setup, after, &sealed, &f.err), ST_REJECT);
        CHECK(strstr(f.err.msg, ".jsonl.zst") != NULL);
        CHECK_EQ(read_file(path, &after_bytes), ST_OK);
        CHECK(str_eq(buf_str(&bytes), buf_str(&after_bytes)));
        /* the next call goes on behind it, where there is nothing */
        CHECK_OK(tape_seal_next(&setup, after, &sealed, &f.err), f.err);
        CHECK_Z(sealed.segment, "");
        bytes.p[i] = (char)(bytes.p[i] ^ 0x10);
    }
    for (size_t cut = 0; cut < bytes.len; cut += 11) {
        write_file(path, bytes.p, cut);
        after[0] = '\0';
        CHECK_EQ(tape_seal_next(&setup, after, &sealed, &f.err), ST_REJECT);
    }
    buf_release(&bytes);
    buf_release(&after_bytes);
    fixture_release(&f);
}

/* What a failed write left behind the last synced record does not count, and is dropped. */
static void leftovers_of_a_failed_write_are_dropped(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t n;

    make_tape(&f);
    CHECK(segment_path_at(f.dir, 1, path));
    CHECK_EQ(read_file(path, &bytes), ST_OK);
    CHECK(segment_path_at(f.dir, 0, path));
    FILE *file = fopen(path, "a");
    CHECK(file != NULL && fwrite(bytes.p, 1, bytes.len - 9, file) == bytes.len - 9);
    CHECK_EQ(fclose(file), 0);
    CHECK_OK(seal_all(&f, &n), f.err);
    CHECK_EQ(n, 1);
    struct view v = look(f.dir);
    CHECK(v.n == N + 2 && !v.is_wrong && v.n_bad_bodies == 0);
    CHECK_EQ(count_problems(f.dir), 0);
    buf_release(&bytes);
    fixture_release(&f);
}

static size_t count_files(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d != NULL)
        closedir(d);
    return n;
}

static void sealing_stops_when_told_and_leaves_nothing(void)
{
    struct fixture f;
    atomic_bool is_stopping = true;
    struct tape_sealed sealed;
    char after[64] = "";

    make_tape(&f);
    const struct tape_seal_setup setup = {.dir = f.dir, .is_stopping = &is_stopping};
    CHECK_EQ(tape_seal_next(&setup, after, &sealed, &f.err), ST_AGAIN);
    CHECK_Z(after, "");
    CHECK_EQ(count_files(f.dir), 2);
    atomic_store(&is_stopping, false);
    CHECK_OK(tape_seal_next(&setup, after, &sealed, &f.err), f.err);
    CHECK(sealed.n_records == N && sealed.bytes_before > 0 && sealed.bytes_after > 0);
    CHECK_Z(after, sealed.segment);
    fixture_release(&f);
}

/* A disk that is full after any number of bytes. */
static void a_full_disk_changes_nothing(void)
{
    struct fixture f;
    struct rlimit old, small;
    struct buf bytes = BUF_INIT(1 << 20), after_bytes = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    size_t n, n_full = 0;

    make_tape(&f);
    CHECK(segment_path_at(f.dir, 0, path));
    CHECK_EQ(read_file(path, &bytes), ST_OK);
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0;; room += 97) {
        small = old;
        small.rlim_cur = room;
        CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
        enum st st = seal_all(&f, &n);
        CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (st == ST_OK)
            break;
        n_full++;
        CHECK_EQ(st, ST_AGAIN);
        CHECK_EQ(count_files(f.dir), 2);
        CHECK_EQ(read_file(path, &after_bytes), ST_OK);
        CHECK(str_eq(buf_str(&bytes), buf_str(&after_bytes)));
    }
    CHECK(n == 1 && n_full > 10);
    CHECK_EQ(look(f.dir).n, N + 2);
    buf_release(&bytes);
    buf_release(&after_bytes);
    fixture_release(&f);
}

static void no_memory_for_sealing_is_a_reason_to_try_again(void)
{
    struct fixture f;
    size_t n, n_sealed = 0;
    enum st st;
    long nth = 0;

    make_tape(&f);
    do {
        mem_fail_nth(++nth);
        st = seal_all(&f, &n);
        mem_fail_nth(0);
        n_sealed += n;
        CHECK(st == ST_OK || st == ST_AGAIN);
        CHECK_EQ(count_files(f.dir), 2);
        CHECK_EQ(look(f.dir).n_bad_bodies, 0);
    } while (st != ST_OK);
    CHECK_EQ(n_sealed, 1);
    CHECK(nth > 5);
    fixture_release(&f);
}

static void what_a_killed_sealing_left_is_removed(void)
{
    struct fixture f;
    char path[FILE_MAX_PATH], left[FILE_MAX_PATH];
    size_t n;

    make_tape(&f);
    for (int i = 0; i < 2; i++) {
        CHECK(segment_path_at(f.dir, 0, path));
        CHECK_OK(file_path(left, &f.err, "%s.sealing", path), f.err);
        write_file(left, "half", 4);
        CHECK_EQ(look(f.dir).n, N + 2);
        CHECK_EQ(count_problems(f.dir), 0);
        if (i == 0) /* by the next start of the collector, */
            CHECK_OK(fixture_open(&f), f.err);
        else /* or of the upkeep */
            CHECK_OK(seal_all(&f, &n), f.err);
        CHECK(access(left, F_OK) != 0);
        fixture_close(&f);
    }
    fixture_release(&f);
}

/* The segment behind it was begun, but removed as nothing could be written to it. */
static void a_sealed_segment_that_is_the_last_is_not_written_to(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH], last[FILE_MAX_PATH];

    make_sealed(&f, path, &bytes);
    CHECK(segment_path_at(f.dir, 1, last));
    CHECK_EQ(unlink(last), 0);
    CHECK_OK(fixture_open(&f), f.err);
    CHECK_EQ(f.recovery.head, N);
    CHECK(f.recovery.torn_bytes == 0 && !f.recovery.is_poll_aborted);
    CHECK_OK(put_poll(&f), f.err);
    CHECK_EQ(read_file(path, &after), ST_OK);
    CHECK(str_eq(buf_str(&bytes), buf_str(&after)));
    struct view v = look(f.dir);
    CHECK(v.n == N + 2 && v.last == N + 2 && !v.is_wrong && v.n_holes == 0);
    buf_release(&bytes);
    buf_release(&after);
    fixture_release(&f);
}

/* ---- lies ---- */

/* Both copies of the index, changed and with checksums that fit. */
static void forge(struct buf *bytes, size_t index_at, size_t len, size_t at, uint64_t value,
                  size_t n)
{
    uint8_t *copies[2] = {(uint8_t *)bytes->p + index_at, (uint8_t *)bytes->p + bytes->len - len};

    for (int c = 0; c < 2; c++) {
        for (size_t i = 0; i < n; i++)
            copies[c][at + i] = (uint8_t)(value >> 8 * i);
        uint64_t sum = format_hash(copies[c], len - 8);
        for (size_t i = 0; i < 8; i++)
            copies[c][len - 8 + i] = (uint8_t)(sum >> 8 * i);
    }
}

static void a_forged_index_gives_no_wrong_body(void)
{
    static const uint64_t values[] = {0, 1, 7, 100, UINT32_MAX, UINT64_MAX, 0x7FFFFFFFu, 1u << 27};
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), forged = BUF_INIT(1 << 20);
    char path[FILE_MAX_PATH];
    struct index index;

    make_sealed(&f, path, &bytes);
    size_t len = format_index_tail((uint8_t *)bytes.p + bytes.len - FORMAT_INDEX_TAIL);
    CHECK(format_get_index((uint8_t *)bytes.p + bytes.len - len, len, &index));
    size_t index_at = index.records_len;
    for (size_t at = 4; at + 8 < len; at += 4)
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            buf_clear(&forged);
            buf_add_str(&forged, buf_str(&bytes));
            forge(&forged, index_at, len, at, values[v], values[v] > UINT32_MAX ? 8 : 4);
            write_file(path, forged.p, forged.len);
            struct view got = look(f.dir);
            CHECK(!got.is_wrong && got.st == ST_AGAIN);
            CHECK(count_problems(f.dir) != UINT64_MAX);
        }
    buf_release(&bytes);
    buf_release(&forged);
    fixture_release(&f);
}

/* An index that says a few bytes are 120 MB of zeros, and they are. */
static void a_bomb_takes_no_memory(void)
{
    struct fixture f;
    struct buf bytes = BUF_INIT(1 << 20), bomb = BUF_INIT(1 << 20), all = BUF_INIT(1 << 20);
    struct index index;
    char path[FILE_MAX_PATH];
    const size_t content = 120 << 20;
    struct tape_reader *r;
    struct tape_record record;
    struct arena arena;
    struct str body;

    make_sealed(&f, path, &bytes);
    size_t len = format_index_tail((uint8_t *)bytes.p + bytes.len - FORMAT_INDEX_TAIL);
    CHECK(format_get_index((uint8_t *)bytes.p + bytes.len - len, len, &index));
    char *zeros = mem_new(content, 1);
    char *room = buf_room(&bomb, 1 << 19);
    size_t n = ZSTD_compress(room, 1 << 19, zeros, content, 1);
    CHECK(!ZSTD_isError(n));
    buf_added(&bomb, n);
    mem_free(zeros);
    struct index_frame frame = {.at = (int64_t)(index.records_len + len - 32),
                                .len = (uint32_t)n,
                                .content = (uint32_t)content,
                                .hash = format_hash(bomb.p, n),
                                .is_packed = true};
    struct index_record records[N];
    for (uint32_t i = 0; i < N; i++) {
        records[i] = format_index_record(&index, i);
        if (records[i].frame != INDEX_NO_FRAME)
            records[i] = (struct index_record){records[i].at, 0, (uint32_t)(content - N + i)};
    }
    index.n_frames = 1;
    index.file_size = index.records_len + 2 * (len - 32) + n;
    buf_add(&all, bytes.p, index.records_len);
    CHECK_OK(format_put_index(&all, &index, &frame, records, &f.err), f.err);
    buf_add_str(&all, buf_str(&bomb));
    CHECK_OK(format_put_index(&all, &index, &frame, records, &f.err), f.err);
    CHECK_EQ(all.len, index.file_size);
    write_file(path, all.p, all.len);
    arena_init(&arena, 1 << 20);
    CHECK_OK(tape_reader_open(f.dir, &r, &f.err), f.err);
    CHECK_OK(tape_reader_next(r, UINT64_MAX, &record, &f.err), f.err);
    CHECK_EQ(tape_reader_body(r, &record, &arena, &body, &f.err), ST_REJECT);
    CHECK(arena.total <= 1 << 20);
    tape_reader_close(r);
    arena_release(&arena);
    buf_release(&bytes);
    buf_release(&bomb);
    buf_release(&all);
    fixture_release(&f);
}

TAP_MAIN(TAP_CASE(sealing_changes_no_record_and_no_body),
         TAP_CASE(every_flipped_byte_of_a_sealed_segment_is_found),
         TAP_CASE(a_sealed_segment_cut_anywhere_gives_what_it_holds),
         TAP_CASE(one_damaged_index_costs_nothing),
         TAP_CASE(any_record_of_a_sealed_segment_can_be_fetched),
         TAP_CASE(a_reader_goes_on_across_sealing),
         TAP_CASE(bodies_of_any_size_come_back_from_several_frames),
         TAP_CASE(a_damaged_segment_is_never_sealed),
         TAP_CASE(leftovers_of_a_failed_write_are_dropped),
         TAP_CASE(sealing_stops_when_told_and_leaves_nothing),
         TAP_CASE(a_full_disk_changes_nothing),
         TAP_CASE(no_memory_for_sealing_is_a_reason_to_try_again),
         TAP_CASE(what_a_killed_sealing_left_is_removed),
         TAP_CASE(a_sealed_segment_that_is_the_last_is_not_written_to),
         TAP_CASE(a_forged_index_gives_no_wrong_body), TAP_CASE(a_bomb_takes_no_memory))
