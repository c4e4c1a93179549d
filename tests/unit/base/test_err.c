/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include "tap.h"

#include <errno.h>

static void the_first_cause_keeps_its_place(void)
{
    struct err err = ERR_INIT;

    CHECK_EQ(err_sys(&err, ST_AGAIN, ENOSPC, "write %s", "a.jsonl"), ST_AGAIN);
    int line = err.line;
    CHECK_EQ(err_wrap(&err, ST_AGAIN, "sink %s: ", "json"), ST_AGAIN);
    CHECK_Z(err.msg, "sink json: write a.jsonl: No space left on device");
    CHECK_EQ(err.sys, ENOSPC);
    CHECK_EQ(err.line, line);
    CHECK(strstr(err.file, "test_err.c"));
}

static void an_own_cause_has_no_errno(void)
{
    struct err err = ERR_INIT;

    errno = EIO;
    CHECK_EQ(err_set(&err, ST_REJECT, "%d rows", 3), ST_REJECT);
    CHECK_Z(err.msg, "3 rows");
    CHECK_EQ(err.sys, 0);
    CHECK_EQ(err_sys(&err, ST_FATAL, 99999, "x"), ST_FATAL);
    CHECK_Z(err.msg, "x: unknown error");
}

static void a_long_message_is_cut(void)
{
    struct err err = ERR_INIT;
    char text[2 * ERR_MSG_SIZE];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    CHECK_EQ(err_sys(&err, ST_FATAL, EIO, "%s", text), ST_FATAL);
    CHECK_EQ(strlen(err.msg), ERR_MSG_SIZE - 1);
    CHECK_EQ(err_wrap(&err, ST_FATAL, "place: "), ST_FATAL);
    CHECK_EQ(strlen(err.msg), ERR_MSG_SIZE - 1);
    CHECK(strncmp(err.msg, "place: xxx", 10) == 0);
    CHECK_EQ(err_wrap(&err, ST_FATAL, "%s", text), ST_FATAL);
    CHECK_EQ(strlen(err.msg), ERR_MSG_SIZE - 1);
}

TAP_MAIN(TAP_CASE(the_first_cause_keeps_its_place), TAP_CASE(an_own_cause_has_no_errno),
         TAP_CASE(a_long_message_is_cut))
