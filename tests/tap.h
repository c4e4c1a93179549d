/* A unit test program: a table of named cases, TAP 12 on stdout, exit 1 when one failed.
 *
 *     static void dec_keeps_every_digit(void) { CHECK_EQ(n, 3); CHECK_STR(s, "1.5"); }
 *     TAP_MAIN(TAP_CASE(dec_keeps_every_digit), …)
 *
 * A failed check reports file:line and both values, and leaves the case. SKIP("why") ends a case as
 * skipped.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include "base/err.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct tap_case {
    const char *name;
    void (*run)(void);
};

static const char *tap_skip_reason;
static int tap_failures;

#define TAP_CASE(function) {#function, function}

#define TAP_FAIL(...)                            \
    do {                                         \
        printf("# %s:%d: ", __FILE__, __LINE__); \
        printf(__VA_ARGS__);                     \
        printf("\n");                            \
        tap_failures++;                          \
        return;                                  \
    } while (0)

#define CHECK(condition)                          \
    do {                                          \
        if (!(condition))                         \
            TAP_FAIL("not true: %s", #condition); \
    } while (0)

#define CHECK_EQ(got, want)                                                    \
    do {                                                                       \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                \
        if (got_ != want_)                                                     \
            TAP_FAIL("%s: got %" PRId64 ", want %" PRId64, #got, got_, want_); \
    } while (0)

#define CHECK_STR(got, want)                                                      \
    do {                                                                          \
        struct str got_ = (got), want_ = str_of(want);                            \
        if (!str_eq(got_, want_))                                                 \
            TAP_FAIL("%s: got \"%.*s\", want \"%s\"", #got, STR_ARG(got_), want); \
    } while (0)

#define CHECK_Z(got, want) CHECK_STR(str_of(got), want)

/* A call that must succeed; `err` is the struct err it fills. */
#define CHECK_OK(call, err)                                                                   \
    do {                                                                                      \
        enum st st_ = (call);                                                                 \
        if (st_ != ST_OK)                                                                     \
            TAP_FAIL("%s: st %d: %s (%s:%d)", #call, st_, (err).msg, (err).file, (err).line); \
    } while (0)

#define SKIP(why)                \
    do {                         \
        tap_skip_reason = (why); \
        return;                  \
    } while (0)

static inline int tap_run(const struct tap_case *cases, size_t n)
{
    int n_failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++) {
        tap_skip_reason = NULL;
        tap_failures = 0;
        cases[i].run();
        if (tap_skip_reason)
            printf("ok %zu %s # SKIP %s\n", i + 1, cases[i].name, tap_skip_reason);
        else
            printf("%s %zu %s\n", tap_failures ? "not ok" : "ok", i + 1, cases[i].name);
        n_failed += tap_failures > 0;
    }
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define TAP_MAIN(...)                                               \
    int main(void)                                                  \
    {                                                               \
        static const struct tap_case cases_[] = {__VA_ARGS__};      \
        return tap_run(cases_, sizeof(cases_) / sizeof(cases_[0])); \
    }

#endif
