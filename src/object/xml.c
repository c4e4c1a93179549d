/* SPDX-License-Identifier: Apache-2.0 */
#include "object/xml.h"

#include "base/buf.h"

#include <expat.h>

#define MAX_PATH 512

struct walk {
    XML_Parser parser;
    xml_end *on_end;
    void *ctx;
    struct err *err;
    enum st st;
    unsigned depth;
    size_t path_at[XML_MAX_DEPTH + 1], text_at[XML_MAX_DEPTH + 1];
    bool is_encoded[XML_MAX_DEPTH + 1];
    struct buf path, text;
};

static void stop(struct walk *w, enum st st)
{
    if (w->st == ST_OK)
        w->st = st;
    XML_StopParser(w->parser, XML_FALSE);
}

static void XMLCALL on_begin(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct walk *w = ctx;
    const char *colon = strchr(name, ':');

    if (w->depth == XML_MAX_DEPTH) {
        stop(w, err_set(w->err, ST_REJECT, "XML of more than %d levels", XML_MAX_DEPTH));
        return;
    }
    w->depth++;
    w->path_at[w->depth] = w->path.len;
    w->text_at[w->depth] = w->text.len;
    w->is_encoded[w->depth] = false;
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], "Encoded") == 0 && strcmp(attributes[i + 1], "true") == 0)
            w->is_encoded[w->depth] = true;
    if (w->path.len > 0)
        buf_add_char(&w->path, '/');
    buf_add_z(&w->path, colon ? colon + 1 : name);
    if (w->path.is_overflow)
        stop(w, err_set(w->err, ST_REJECT, "XML with names that are too long"));
}

static void XMLCALL on_finish(void *ctx, const XML_Char *name)
{
    struct walk *w = ctx;
    const size_t text_at = w->text_at[w->depth], path_at = w->path_at[w->depth];
    (void)name;

    if (w->st != ST_OK)
        return;
    const struct str text = {buf_z(&w->text) + text_at, w->text.len - text_at};
    enum st st = w->on_end(w->ctx, buf_z(&w->path), text, w->is_encoded[w->depth], w->err);
    if (st != ST_OK)
        stop(w, st);
    w->text.len = text_at;
    w->path.len = path_at;
    if (w->path.p)
        w->path.p[path_at] = '\0';
    w->depth--;
}

static void XMLCALL on_text(void *ctx, const XML_Char *bytes, int len)
{
    struct walk *w = ctx;

    buf_add(&w->text, bytes, (size_t)len);
    if (w->text.is_overflow)
        stop(w, err_set(w->err, ST_REJECT, "XML with texts of more than %u bytes", XML_MAX_TEXT));
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public_id, int has_internal)
{
    struct walk *w = ctx;
    (void)name, (void)system, (void)public_id, (void)has_internal;
    stop(w, err_set(w->err, ST_REJECT, "XML with a document type"));
}

enum st xml_walk(struct str text, xml_end *on_end, void *ctx, struct err *err)
{
    struct walk w = {.on_end = on_end,
                     .ctx = ctx,
                     .err = err,
                     .path = BUF_INIT(MAX_PATH),
                     .text = BUF_INIT(XML_MAX_TEXT)};

    w.parser = XML_ParserCreate(NULL);
    if (w.parser == NULL)
        return err_set(err, ST_AGAIN, "no memory for XML");
    XML_SetUserData(w.parser, &w);
    XML_SetElementHandler(w.parser, on_begin, on_finish);
    XML_SetCharacterDataHandler(w.parser, on_text);
    XML_SetStartDoctypeDeclHandler(w.parser, on_doctype);
    enum XML_Status status =
        text.len > INT32_MAX ? XML_STATUS_ERROR
                             : XML_Parse(w.parser, text.len ? text.p : "", (int)text.len, XML_TRUE);
    enum st st = w.st;
    if (st == ST_OK && status != XML_STATUS_OK)
        st = err_set(err, ST_REJECT, "no XML: %s", XML_ErrorString(XML_GetErrorCode(w.parser)));
    XML_ParserFree(w.parser);
    buf_release(&w.path);
    buf_release(&w.text);
    return st;
}
