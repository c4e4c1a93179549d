/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/progress.h"

#include "base/buf.h"
#include "status/render.h"

#include <stdio.h>
#include <unistd.h>

#define BAR       24 /* characters */
#define REDRAW_US (200 * US_PER_MS)
#define TELL_US   (10 * US_PER_S) /* where there is no terminal */

void progress_begin(struct progress *p, const char *verb, const char *unit)
{
    int64_t now_us = clock_mono_us(clock_system());

    *p = (struct progress){.verb = verb,
                           .unit = unit,
                           .is_terminal = isatty(STDERR_FILENO) != 0,
                           .start_us = now_us,
                           .shown_us = now_us};
}

static double seconds_since(int64_t start_us)
{
    int64_t us = clock_mono_us(clock_system()) - start_us;
    return (double)(us > US_PER_MS ? us : US_PER_MS) / 1e6;
}

static void add_line(const struct progress *p, struct buf *b, uint64_t done, uint64_t total,
                     uint64_t rows)
{
    double seconds = seconds_since(p->start_us);

    buf_addf(b, "%llu of %llu %s, %.0f rows/s", (unsigned long long)done, (unsigned long long)total,
             p->unit, (double)rows / seconds);
    if (done == 0)
        return;
    buf_add_z(b, ", ");
    status_add_span(b, (int64_t)(seconds * 1e6 / (double)done * (double)(total - done)));
    buf_add_z(b, " left");
}

void progress_show(struct progress *p, uint64_t done, uint64_t total, uint64_t rows)
{
    struct buf line = BUF_INIT(512);
    int64_t now_us = clock_mono_us(clock_system());

    if (total == 0 || now_us - p->shown_us < (p->is_terminal ? REDRAW_US : TELL_US))
        return;
    p->shown_us = now_us;
    done = done < total ? done : total;
    for (uint64_t i = 0; p->is_terminal && i < BAR; i++)
        buf_add_char(&line, i < done * BAR / total ? '#' : '.');
    buf_addf(&line, "%s%s", p->is_terminal ? "" : "geckotape: ", p->is_terminal ? " " : p->verb);
    buf_add_z(&line, p->is_terminal ? "" : ": ");
    add_line(p, &line, done, total, rows);
    fprintf(stderr, p->is_terminal ? "\r\033[K%s" : "%s\n", buf_z(&line));
    p->has_bar = p->is_terminal;
    buf_release(&line);
}

double progress_end(struct progress *p)
{
    if (p->has_bar)
        fputs("\r\033[K", stderr);
    p->has_bar = false;
    return seconds_since(p->start_us);
}
