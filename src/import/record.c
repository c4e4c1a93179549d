/* SPDX-License-Identifier: Apache-2.0 */
#include "import/record.h"

void record_init(struct record *r)
{
    *r = (struct record){.separator = ','};
    buf_init(&r->texts, RECORD_MAX_BYTES + 1024 * 1024);
}

void record_release(struct record *r)
{
    buf_release(&r->texts);
}

/* Bytes of the quoted field at the start of s, with its quotes; 0: it does not end. */
static size_t quoted_len(struct str s)
{
    size_t i = 1;

    while (i < s.len) {
        const char *quote = memchr(s.p + i, '"', s.len - i);
        if (quote == NULL)
            return 0;
        i = (size_t)(quote - s.p) + 1;
        if (i == s.len || s.p[i] != '"')
            return i;
        i++; /* "" is a quote in the text */
    }
    return 0;
}

/* A quote counts only at the start of a field; for that any of the separators will do. */
size_t record_measure(struct str s, bool is_last)
{
    bool is_start = true;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\n')
            return i + 1;
        if (is_start && s.p[i] == '"') {
            size_t len = quoted_len((struct str){s.p + i, s.len - i});
            if (len == 0 || (i + len == s.len && !is_last))
                return 0;
            i += len - 1;
        }
        is_start = s.p[i] == ',' || s.p[i] == ';' || s.p[i] == '\t';
    }
    return is_last ? s.len : 0;
}

/* The text of a quoted field without its quotes. */
static struct str unquote(struct record *r, struct str quoted)
{
    struct str inner = {quoted.p + 1, quoted.len - 2};
    size_t from = r->texts.len;

    if (memchr(inner.p, '"', inner.len) == NULL)
        return inner;
    for (size_t i = 0; i < inner.len; i++) {
        buf_add_char(&r->texts, inner.p[i]);
        i += inner.p[i] == '"';
    }
    return (struct str){r->texts.p + from, r->texts.len - from};
}

const char *record_cut(struct record *r, struct str record)
{
    while (record.len > 0 && (record.p[record.len - 1] == '\n' || record.p[record.len - 1] == '\r'))
        record.len--;
    buf_clear(&r->texts);
    if (buf_room(&r->texts, record.len + 1) == NULL) /* so that it stays where it is */
        return "no memory for it";
    r->n_fields = 0;
    for (bool is_more = true; is_more;) {
        struct str field = record;
        if (r->n_fields == RECORD_MAX_FIELDS)
            return "more than 512 fields";
        if (record.len > 0 && record.p[0] == '"') {
            size_t len = quoted_len(record);
            if (len == 0)
                return "a quote is not closed";
            field.len = len;
            record = (struct str){record.p + len, record.len - len};
            is_more = record.len > 0;
            if (is_more && record.p[0] != r->separator)
                return "text behind a closing quote";
            if (is_more)
                record = (struct str){record.p + 1, record.len - 1};
            field = unquote(r, field);
        } else {
            is_more = str_cut(&record, r->separator, &field);
        }
        r->fields[r->n_fields++] = field;
    }
    return NULL;
}

static char find_separator(struct str header)
{
    static const char all[] = ",;\t";
    size_t best = 0, most = 0;

    for (size_t i = 0; i < 3; i++) {
        size_t n = 0;
        for (size_t k = 0; k < header.len; k++)
            n += header.p[k] == all[i];
        if (n > most) {
            most = n;
            best = i;
        }
    }
    return all[best];
}

const char *record_cut_header(struct record *r, struct str header)
{
    static const struct str bom = STR("\xEF\xBB\xBF");

    if (str_starts(header, bom))
        header = (struct str){header.p + bom.len, header.len - bom.len};
    r->separator = find_separator(header);
    return record_cut(r, header);
}
