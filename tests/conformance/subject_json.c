/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

static void make_url(const char *dir, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "json:%s/files", dir);
}

/* The value of "key": in the text, which ends up behind it. */
static bool next_value(const char **text, const char *key, struct str *ret_value)
{
    char pattern[64];

    snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
    const char *at = strstr(*text, pattern);
    if (at == NULL)
        return false;
    at += strlen(pattern);
    size_t n = strcspn(at, ",\n");
    *ret_value = at[0] == '"' ? (struct str){at + 1, n - 2} : (struct str){at, n};
    *text = at + n;
    return true;
}

/* The processed file and the raw one must tell the same, or one of them is missing. */
static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    struct buf processed = BUF_INIT(1 << 20), raw = BUF_INIT(1 << 20);
    const bool is_market = strncmp(job, "markets", 7) == 0;
    const char *name = strstr(job, "eur") ? "markets-eur" : is_market ? "market" : job;
    const char *key = is_market ? "current_price" : strstr(job, "list") ? "name" : "value";
    char path[FILE_MAX_PATH], utc[TIME_TEXT];
    struct err err = ERR_INIT;
    struct str id, price;

    (void)url;
    time_format_file(slot_us, utc);
    snprintf(path, sizeof(path), "%s/files/raw/%s_%s.json", dir, name, utc);
    enum st raw_st = file_read(path, &raw, &err);
    snprintf(path, sizeof(path), "%s/files/processed/%s_%s.json", dir, name, utc);
    enum st st = file_read(path, &processed, &err);
    const char *text = buf_z(&processed);
    if (st == ST_OK && raw_st != ST_OK)
        buf_add_z(ret_text, "no raw file; ");
    while (next_value(&text, "id", &id)) {
        if (!next_value(&text, key, &price))
            price = STR_NONE;
        char element[128];
        snprintf(element, sizeof(element), "{\"id\":\"%.*s\",\"current_price\":%.*s}", STR_ARG(id),
                 STR_ARG(price));
        if (is_market && strstr(buf_z(&raw), element) == NULL)
            buf_add_z(ret_text, "not in the raw file: ");
        buf_addf(ret_text, "%.*s=%.*s ", STR_ARG(id), STR_ARG(price));
    }
    buf_release(&processed);
    buf_release(&raw);
}

const struct subject subject = {.scheme = "json",
                                .has_store = true,
                                .is_persistent = true,
                                .shows_texts = true,
                                .make_url = make_url,
                                .show = show};
