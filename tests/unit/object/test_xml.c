/* What is taken of a store's XML, and what is refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/xml.h"

#include "base/buf.h"
#include "tap.h"

static struct err err;
static struct buf told = BUF_INIT(100000);

static enum st note(void *ctx, const char *path, struct str text, bool is_encoded, struct err *e)
{
    (void)ctx;
    if (strcmp(path, "a/stop") == 0)
        return err_set(e, ST_AGAIN, "stopped");
    buf_addf(&told, "%s=%.*s%s;", path, STR_ARG(text), is_encoded ? "!" : "");
    return ST_OK;
}

static enum st walk(const char *text)
{
    buf_clear(&told);
    return xml_walk(str_of(text), note, NULL, &err);
}

static void elements_come_with_path_and_own_text(void)
{
    CHECK_OK(walk("<?xml version=\"1.0\"?><a xmlns=\"http://x/\"><b>1<c/>2</b><n:d "
                  "xmlns:n=\"u\" Encoded=\"true\">&lt;&#233;<![CDATA[&]]></n:d></a>"),
             err);
    CHECK_STR(buf_str(&told), "a/b/c=;a/b=12;a/d=<é&!;a=;");
}

static void a_walk_ends_where_it_is_told(void)
{
    CHECK_EQ(walk("<a><b>1</b><stop/><b>2</b></a>"), ST_AGAIN);
    CHECK_Z(err.msg, "stopped");
    CHECK_STR(buf_str(&told), "a/b=1;");
}

static void what_is_no_data_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "text",
                                      "<a>",
                                      "<a></b>",
                                      "<a/><b/>",
                                      "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
                                      "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
                                      "<a>&b;</a>"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (walk(bad[i]) != ST_REJECT)
            TAP_FAIL("%s was taken", bad[i]);
}

static void depth_and_length_have_ceilings(void)
{
    struct buf b = BUF_INIT(1000000);

    for (int i = 0; i <= XML_MAX_DEPTH; i++)
        buf_add_z(&b, "<a>");
    CHECK_EQ(walk(buf_z(&b)), ST_REJECT);
    buf_clear(&b);
    buf_add_z(&b, "<a>");
    for (unsigned i = 0; i <= XML_MAX_TEXT; i++)
        buf_add_char(&b, 'x');
    buf_add_z(&b, "</a>");
    CHECK_EQ(walk(buf_z(&b)), ST_REJECT);
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(elements_come_with_path_and_own_text), TAP_CASE(a_walk_ends_where_it_is_told),
         TAP_CASE(what_is_no_data_is_refused), TAP_CASE(depth_and_length_have_ceilings))
