/* buf, arena and mem: growing memory and its ceilings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tap.h"

static void what_is_appended_is_there_with_a_zero_behind(void)
{
    struct buf b = BUF_INIT(1000);

    CHECK_Z(buf_z(&b), "");
    buf_add_z(&b, "a");
    buf_add_char(&b, 'b');
    buf_add_str(&b, STR("cd"));
    buf_add_str(&b, STR_NONE);
    buf_add_i64(&b, INT64_MIN);
    buf_add_i64(&b, 0);
    buf_addf(&b, "%s%d", "x", 7);
    CHECK_STR(buf_str(&b), "abcd-92233720368547758080x7");
    CHECK_EQ(b.p[b.len], '\0');
    char *at = buf_room(&b, 3);
    CHECK(at);
    memcpy(at, "end", 3);
    buf_added(&b, 3);
    CHECK_Z(buf_z(&b), "abcd-92233720368547758080x7end");
    buf_clear(&b);
    CHECK_Z(buf_z(&b), "");
    buf_release(&b);
    CHECK(b.p == NULL);
    CHECK_EQ(b.max, 1000);
}

static void an_append_beyond_the_ceiling_drops_all_that_follow(void)
{
    struct buf b = BUF_INIT(10);
    struct err err = ERR_INIT;

    buf_add_z(&b, "0123456789");
    CHECK_OK(buf_check(&b, "text", &err), err);
    buf_add_char(&b, '!');
    buf_add_z(&b, "");
    CHECK_STR(buf_str(&b), "0123456789");
    CHECK_EQ(buf_check(&b, "text", &err), ST_REJECT);
    CHECK(strstr(err.msg, "text: more than 10 bytes"));
    CHECK(buf_room(&b, 0) == NULL);
    buf_clear(&b);
    CHECK_OK(buf_check(&b, "text", &err), err);
    buf_addf(&b, "%s", "01234567890");
    CHECK(b.is_overflow);
    CHECK_EQ(b.len, 0);
    buf_clear(&b);
    CHECK(buf_room(&b, SIZE_MAX) == NULL);
    buf_release(&b);
}

static void a_buffer_survives_any_failing_allocation(void)
{
    for (long nth = 1; nth < 20; nth++) {
        struct buf b = BUF_INIT(10000);
        struct err err = ERR_INIT;
        mem_fail_nth(nth);
        for (int i = 0; i < 1000; i++)
            buf_add_z(&b, "12345678");
        mem_fail_nth(0);
        if (b.is_overflow) {
            CHECK_EQ(buf_check(&b, "b", &err), ST_REJECT);
            CHECK_EQ(b.len % 8, 0);
        } else {
            CHECK_EQ(b.len, 8000);
            CHECK(nth > 3);
        }
        buf_release(&b);
    }
}

static void json_strings_are_escaped_and_well_formed(void)
{
    static const struct {
        struct str text;
        const char *json;
    } rows[] = {
        {STR_NONE, "\"\""},
        {STR("plain \xC3\xA9 \xF0\x9F\x98\x80 /"), "\"plain \xC3\xA9 \xF0\x9F\x98\x80 /\""},
        {STR("\"\\\n\r\t\x01\x1f\x7f"), "\"\\\"\\\\\\n\\u000d\\u0009\\u0001\\u001f\x7f\""},
        {STR("a\0b"), "\"a\\u0000b\""},
        {STR("a\xFFz"), "\"a\xEF\xBF\xBDz\""},
        {STR("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR("x\xED\xA0\x80\""), "\"x\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\\\"\""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(1000);
        buf_add_json_str(&b, rows[i].text);
        CHECK_STR(buf_str(&b), rows[i].json);
        buf_release(&b);
    }
}

static void an_arena_gives_aligned_memory_up_to_its_cap(void)
{
    struct arena a;
    size_t n = 0;

    arena_init(&a, 100000);
    for (void *p; (p = arena_alloc(&a, 1, 1000)) != NULL; n++) {
        CHECK_EQ((uintptr_t)p % _Alignof(max_align_t), 0);
        memset(p, 0xA5, 1000);
    }
    CHECK(n >= 90);
    CHECK(a.total <= 100000);
    CHECK(arena_alloc(&a, SIZE_MAX, 2) == NULL);
    CHECK(arena_alloc(&a, SIZE_MAX / 2 + 2, 2) == NULL);
    CHECK(arena_alloc(&a, 1, SIZE_MAX) == NULL);
    CHECK(arena_alloc(&a, 1, SIZE_MAX - 8) == NULL);
    arena_release(&a);
    CHECK_EQ(a.max, 100000);
    CHECK(arena_alloc(&a, 1, 100000));
    CHECK(arena_alloc(&a, 1, 1) == NULL);
    arena_release(&a);
}

static void a_full_arena_stays_usable(void)
{
    struct arena a;

    arena_init(&a, 20000);
    char *p = arena_alloc(&a, 1, 10000);
    CHECK(p);
    memset(p, 1, 10000);
    CHECK(arena_alloc(&a, 1, 30000) == NULL);
    CHECK(arena_alloc(&a, 1, 100));
    CHECK_EQ(p[9999], 1);
    arena_release(&a);
}

static void an_arena_survives_a_failing_allocation(void)
{
    struct arena a;

    arena_init(&a, 100000);
    mem_fail_nth(1);
    CHECK(arena_alloc(&a, 1, 100) == NULL);
    CHECK(arena_alloc(&a, 1, 100));
    mem_fail_nth(1);
    CHECK(arena_alloc(&a, 1, 50000) == NULL);
    CHECK(arena_alloc(&a, 1, 50000));
    arena_release(&a);
}

static void a_steady_load_settles_in_one_block(void)
{
    struct arena a;
    unsigned long before = 0;

    arena_init(&a, (size_t)1 << 24);
    for (int round = 0; round < 5; round++) {
        if (round == 2)
            before = mem_count();
        for (int i = 0; i < 1000; i++)
            CHECK(arena_alloc(&a, 1, 1000));
        arena_reset(&a);
    }
    CHECK_EQ(mem_count(), before);
    arena_release(&a);
}

static void arena_copies_carry_a_zero(void)
{
    struct arena a;

    arena_init(&a, 20000);
    struct str s = arena_str(&a, STR("abc"));
    CHECK_STR(s, "abc");
    CHECK_EQ(s.p[3], '\0');
    CHECK_EQ(arena_str(&a, STR_NONE).p[0], '\0');
    const char *zeroed = arena_zalloc(&a, 10, 10);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(zeroed[i], 0);
    CHECK(arena_str(&a, (struct str){zeroed, 20000}).p == NULL);
    CHECK(arena_zalloc(&a, 20000, 1) == NULL);
    arena_release(&a);
}

static void program_memory_is_zeroed_and_grows(void)
{
    unsigned long before = mem_count();
    int *p = mem_new(4, sizeof(*p));
    char *s = mem_strdup("abc"), *n = mem_strndup("abcdef", 2), *none = mem_new(0, 8);

    CHECK_EQ(p[3], 0);
    p[3] = 7;
    p = mem_grow(p, 1000, sizeof(*p));
    CHECK_EQ(p[3], 7);
    CHECK_Z(s, "abc");
    CHECK_Z(n, "ab");
    CHECK(none);
    CHECK_EQ(mem_count() - before, 5);
    mem_free(p);
    mem_free(s);
    mem_free(n);
    mem_free(none);
    mem_free(NULL);
}

TAP_MAIN(TAP_CASE(what_is_appended_is_there_with_a_zero_behind),
         TAP_CASE(an_append_beyond_the_ceiling_drops_all_that_follow),
         TAP_CASE(a_buffer_survives_any_failing_allocation),
         TAP_CASE(json_strings_are_escaped_and_well_formed),
         TAP_CASE(an_arena_gives_aligned_memory_up_to_its_cap), TAP_CASE(a_full_arena_stays_usable),
         TAP_CASE(an_arena_survives_a_failing_allocation),
         TAP_CASE(a_steady_load_settles_in_one_block), TAP_CASE(arena_copies_carry_a_zero),
         TAP_CASE(program_memory_is_zeroed_and_grows))
