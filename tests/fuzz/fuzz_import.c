/* Any bytes as a file of JSON lines or CSV (by the first byte), as a name and as a zone: no crash,
 * and every body that would go onto the tape is JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tell(void *ctx, const char *text)
{
    (void)ctx;
    assert(str_is_utf8(str_of(text)));
}

static void tell_skip(void *ctx, enum import_skip why, const char *text)
{
    assert(why < N_IMPORT_SKIPS);
    tell(ctx, text);
}

static void import(enum import_kind kind, const char *path)
{
    const struct import_setup setup = {
        .source = path,
        .kind = kind,
        .name = "fuzz",
        .vs_currency = "usd",
        .map = "when=time\nwhat=id\nall=data\n",
        .skip_equal = true,
        .data_dir = "/nonexistent",
        .clock = clock_system(),
        .skipped = tell_skip,
        .note = tell,
    };
    struct import_result r;
    struct err err = ERR_INIT;

    enum st st = import_run(&setup, &r, &err);
    assert(st == ST_OK || err.msg[0] != '\0');
    assert(r.n_polls == 0 || (r.n_coins > 0 && r.first_us <= r.last_us));
}

static void times(struct str text)
{
    static struct zone zone;
    struct when when = {.zone = &zone};
    size_t at = 0, end = 0;
    bool is_twice;
    int64_t us;

    if (when_find(&when, text, &us, &at, &end))
        assert(at < end && end <= text.len);
    when_parse(&when, text, &us);
    if (zone_parse(text, &zone))
        zone_to_utc(&zone, INT64_C(1700000000000000), &is_twice);
    zone.n = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];

    times((struct str){(const char *)data, size});
    if (size == 0)
        return 0;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    import(data[0] & 1 ? IMPORT_JSONL : IMPORT_CSV, path);
    close(fd);
    return 0;
}
