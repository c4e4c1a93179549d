/* SPDX-License-Identifier: Apache-2.0 */
#include "status/render.h"

#include "base/clock.h"
#include "status/ready.h"

#include <inttypes.h>

#define MAX_REASONS ((size_t)256 * 1024)
#define MAX_TEXT    600 /* bytes shown of one foreign text */
#define DAY_S       INT64_C(86400)

enum color { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

struct screen {
    struct buf *b;
    size_t width, column;
    bool has_color;
    int64_t now_us;
};

/* ---- lines ---- */

static void new_line(struct screen *s)
{
    buf_add_char(s->b, '\n');
    s->column = 0;
}

/* Bytes of ASCII; what does not fit on the line is cut. */
static void put_ascii(struct screen *s, enum color color, struct str text)
{
    static const char *const codes[] = {
        [PLAIN] = "", [BOLD] = "1", [DIM] = "2", [RED] = "31", [GREEN] = "32", [YELLOW] = "33"};
    const size_t room = s->width - s->column;
    const bool is_colored = s->has_color && color != PLAIN;

    if (text.len > room)
        text.len = room;
    if (is_colored)
        buf_addf(s->b, "\x1b[%sm", codes[color]);
    buf_add_str(s->b, text);
    if (is_colored)
        buf_add_z(s->b, "\x1b[0m");
    s->column += text.len;
}

static void put(struct screen *s, enum color color, const char *text)
{
    put_ascii(s, color, str_of(text));
}

static void putf(struct screen *s, enum color color, const char *fmt, ...) PRINTF(3, 4);

static void putf(struct screen *s, enum color color, const char *fmt, ...)
{
    struct buf b = BUF_INIT(512);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    put_ascii(s, color, buf_str(&b));
    buf_release(&b);
}

/* A text of somebody else: one column a character, so that nothing runs out of its line. */
static void add_ascii(struct buf *b, struct str text)
{
    struct buf clean = BUF_INIT(4 * MAX_TEXT);

    buf_add_clean(&clean, text, MAX_TEXT);
    for (size_t i = 0; i < clean.len; i++) {
        const unsigned char c = (unsigned char)clean.p[i];
        if ((c & 0xC0) != 0x80)
            buf_add_char(b, c < 0x80 ? (char)c : '?');
    }
    buf_release(&clean);
}

static void put_text(struct screen *s, enum color color, const char *text)
{
    struct buf b = BUF_INIT(MAX_TEXT + 1);

    add_ascii(&b, str_of(text));
    put_ascii(s, color, buf_str(&b));
    buf_release(&b);
}

static void pad_to(struct screen *s, size_t column)
{
    while (s->column < column && s->column < s->width)
        put(s, PLAIN, " ");
}

/* How much of text, of which more than `room` is left, goes on a line: up to a space, if one is
 * near. */
static size_t fitting(struct str text, size_t room)
{
    size_t cut = room;

    while (cut > room / 2 && text.p[cut] != ' ')
        cut--;
    return text.p[cut] == ' ' ? cut : room;
}

/* A foreign text on as many lines as it needs, all but the first indented. */
static void put_wrapped(struct screen *s, enum color color, size_t indent, struct str text)
{
    struct buf b = BUF_INIT(MAX_TEXT + 1);

    add_ascii(&b, text);
    struct str rest = buf_str(&b);
    while (rest.len > s->width - s->column) {
        const size_t n = fitting(rest, s->width - s->column);
        put_ascii(s, color, (struct str){rest.p, n});
        rest = str_trim((struct str){rest.p + n, rest.len - n});
        new_line(s);
        pad_to(s, indent);
    }
    put_ascii(s, color, rest);
    new_line(s);
    buf_release(&b);
}

static void heading(struct screen *s, const char *text)
{
    new_line(s);
    put(s, BOLD, text);
    new_line(s);
}

/* ---- figures ---- */

void status_add_bytes(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 999.5 && unit < 4) {
        value /= 1000;
        unit++;
    }
    buf_addf(b, unit > 0 && value < 99.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void status_add_span(struct buf *b, int64_t us)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{DAY_S, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t left = us > 0 ? us / US_PER_S : 0;
    size_t first = 0;

    while (first < 3 && left < units[first].seconds)
        first++;
    buf_addf(b, "%" PRId64 "%c", left / units[first].seconds, units[first].unit);
    left %= units[first].seconds;
    if (first < 3 && left >= units[first + 1].seconds)
        buf_addf(b, " %" PRId64 "%c", left / units[first + 1].seconds, units[first + 1].unit);
}

static void put_bytes(struct screen *s, uint64_t bytes)
{
    struct buf b = BUF_INIT(64);

    status_add_bytes(&b, bytes);
    put_ascii(s, PLAIN, buf_str(&b));
    buf_release(&b);
}

static void put_span(struct screen *s, enum color color, int64_t us)
{
    struct buf b = BUF_INIT(64);

    status_add_span(&b, us);
    put_ascii(s, color, buf_str(&b));
    buf_release(&b);
}

static void put_ago(struct screen *s, int64_t ts_us)
{
    put_span(s, PLAIN, s->now_us - ts_us);
    put(s, PLAIN, " ago");
}

/* ---- the parts ---- */

static void add_head(struct screen *s, const struct status_snapshot *now)
{
    put(s, BOLD, "geckotape ");
    put_text(s, BOLD, now->version);
    if (now->pid != 0) {
        putf(s, PLAIN, "  pid %ld  up ", now->pid);
        put_span(s, PLAIN, s->now_us - now->started_us);
    } else {
        put(s, YELLOW, "  not running");
    }
    if (now->is_simulated)
        put(s, YELLOW, "  SIMULATED");
    put(s, PLAIN, "  data ");
    put_text(s, PLAIN, now->data_dir);
    new_line(s);
}

static void add_readiness(struct screen *s, const struct status_snapshot *now)
{
    struct buf reasons = BUF_INIT(MAX_REASONS);
    struct str rest, line;

    if (now->pid == 0)
        return; /* nobody is to be ready */
    if (ready_add_reasons(&reasons, now, s->now_us)) {
        put(s, GREEN, "ready");
        new_line(s);
    } else {
        put(s, RED, "NOT READY");
        new_line(s);
    }
    rest = buf_str(&reasons);
    while (rest.len > 0) {
        str_cut(&rest, '\n', &line);
        put(s, RED, "  ! ");
        put_wrapped(s, PLAIN, 4, line);
    }
    buf_release(&reasons);
}

/* What the API said to the key. */
static void add_key(struct screen *s, const struct status_key *key)
{
    if (key->checked_us == 0)
        return;
    heading(s, "KEY");
    if (key->trouble[0]) {
        put(s, YELLOW, "  ! ");
        put_wrapped(s, PLAIN, 4, str_of(key->trouble));
        return;
    }
    put(s, PLAIN, key->is_good ? "  good" : "  not known to be good");
    if (key->plan[0])
        put(s, PLAIN, "  plan "), put_text(s, PLAIN, key->plan);
    if (key->calls_per_minute > 0)
        putf(s, PLAIN, "  %u calls a minute", key->calls_per_minute);
    if (key->credits > 0)
        putf(s, PLAIN, "  %" PRIu64 " of %" PRIu64 " credits left", key->credits_left,
             key->credits);
    put(s, DIM, "  asked ");
    put_ago(s, key->checked_us);
    new_line(s);
}

/* What is left of the billing period's calls. */
static void add_budget(struct screen *s, const struct status_budget *budget)
{
    const uint64_t spent = budget->own + budget->others;
    char until[TIME_TEXT];

    if (budget->calls == 0 || budget->until_us == 0)
        return;
    heading(s, "BUDGET");
    time_format(budget->until_us, until);
    putf(s, spent >= budget->calls ? RED : PLAIN, "  %" PRIu64 " of %" PRIu64 " calls spent", spent,
         budget->calls);
    if (budget->others > 0)
        putf(s, YELLOW, ", %" PRIu64 " of them by others with this key", budget->others);
    putf(s, PLAIN, "; the period ends on %.10s, in ", until);
    put_span(s, PLAIN, budget->until_us - s->now_us);
    new_line(s);
    putf(s, PLAIN, "  all slots until then make %" PRIu64 " calls: ", budget->wanted);
    if (spent >= budget->calls)
        put(s, RED, "nothing is polled until then");
    else if (budget->runs_out_us == 0)
        put(s, PLAIN, "they fit");
    else
        put(s, PLAIN, "all of them would last "),
            put_span(s, PLAIN, budget->runs_out_us - s->now_us),
            put(s, PLAIN, ", so slots are left out");
    new_line(s);
}

static char mark_of(const char *outcome, enum color *ret_color)
{
    static const struct {
        const char *outcome;
        char mark;
        enum color color;
    } marks[] = {{"ok", '.', GREEN}, {"partial", 'p', YELLOW}, {"aborted", 'a', YELLOW}};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (strcmp(outcome, marks[i].outcome) == 0) {
            *ret_color = marks[i].color;
            return marks[i].mark;
        }
    *ret_color = RED;
    return 'F';
}

/* The last polls, oldest first. */
static void add_strip(struct screen *s, const struct status_job *job)
{
    const uint64_t n = job->n_polls < STATUS_MAX_POLLS ? job->n_polls : STATUS_MAX_POLLS;
    enum color color;

    put(s, PLAIN, "[");
    for (uint64_t i = job->n_polls - n; i < job->n_polls; i++) {
        const char mark = mark_of(job->polls[i % STATUS_MAX_POLLS].outcome, &color);
        put_ascii(s, color, (struct str){&mark, 1});
    }
    put(s, PLAIN, "]");
}

static void add_last_poll(struct screen *s, const struct status_job *job)
{
    enum color color;

    if (job->last_ended_us == 0) {
        put(s, PLAIN, job->is_polling ? "polling for the first time" : "no poll yet");
        return;
    }
    mark_of(job->last_outcome, &color);
    put_text(s, color, job->last_outcome);
    put(s, PLAIN, " ");
    put_ago(s, job->last_ended_us);
    if (job->last_bytes > 0) {
        put(s, PLAIN, ", ");
        put_bytes(s, job->last_bytes);
    }
    if (job->last_latency_us > 0)
        putf(s, PLAIN, ", %.2f s", (double)job->last_latency_us / 1e6);
}

static void add_next(struct screen *s, const struct status_job *job)
{
    if (job->apart_us > 0) {
        put(s, PLAIN, "; now every ");
        put_span(s, PLAIN, job->apart_us);
    }
    if (job->is_polling && job->last_ended_us != 0) {
        put(s, PLAIN, "; polling");
    } else if (job->next_due_us > s->now_us) {
        put(s, PLAIN, "; next in ");
        put_span(s, PLAIN, job->next_due_us - s->now_us);
    } else if (job->next_due_us != 0 && job->next_due_us < s->now_us - US_PER_S) {
        put(s, YELLOW, "; due since ");
        put_span(s, YELLOW, s->now_us - job->next_due_us);
    }
}

static void add_trouble(struct screen *s, const struct status_job *job)
{
    if (job->failed_in_row == 0 && job->last_error[0] == '\0')
        return;
    pad_to(s, 4);
    if (job->failed_in_row > 0)
        putf(s, RED, "FAILING, %" PRIu32 " in a row", job->failed_in_row);
    if (job->failed_in_row > 0 && job->last_ok_us != 0) {
        put(s, RED, ", last ok ");
        put_ago(s, job->last_ok_us);
    }
    put(s, PLAIN, job->failed_in_row > 0 ? ": " : "");
    put_wrapped(s, PLAIN, 4, str_of(job->last_error[0] ? job->last_error : "no reason is known"));
}

/* What the answers say of the API. */
static void add_answers(struct screen *s, const struct status_job *job)
{
    if (job->drift[0] != '\0') {
        pad_to(s, 4);
        put(s, YELLOW, "DRIFT for ");
        put_span(s, YELLOW, s->now_us - job->drift_since_us);
        put(s, PLAIN, ": ");
        put_wrapped(s, PLAIN, 4, str_of(job->drift));
    }
    if (job->flagged[0] != '\0') {
        pad_to(s, 4);
        put(s, PLAIN, "flagged in this hour: ");
        put_wrapped(s, PLAIN, 4, str_of(job->flagged));
    }
}

static void add_share(struct screen *s, const struct status_job *job)
{
    if (job->calls_per_poll == 0 || job->share >= 1)
        return;
    pad_to(s, 4);
    if (job->share > 0)
        putf(s, PLAIN, "the budget leaves one slot in %.1f, %" PRIu64 " calls", 1 / job->share,
             job->calls_left);
    else
        put(s, YELLOW, "the budget leaves no slot in this period");
    new_line(s);
}

static void add_job(struct screen *s, const struct status_job *job, bool is_running)
{
    put(s, PLAIN, "  ");
    put_text(s, BOLD, job->name);
    put(s, PLAIN, "  ");
    put_text(s, DIM, job->what);
    if (job->is_idle)
        put(s, DIM, job->what[0] ? " (not polled)" : "not polled");
    new_line(s);
    pad_to(s, 4);
    add_last_poll(s, job);
    if (is_running && !job->is_idle)
        add_next(s, job);
    new_line(s);
    if (job->n_polls > 0) {
        pad_to(s, 4);
        add_strip(s, job);
        if (job->last_ok_us != 0) {
            put(s, PLAIN, " newest ok ");
            put_ago(s, job->last_ok_us);
        }
        new_line(s);
    }
    add_share(s, job);
    add_trouble(s, job);
    add_answers(s, job);
}

static void add_jobs(struct screen *s, const struct status_snapshot *now)
{
    size_t n = 0;

    heading(s, "JOBS   . ok  p partial  F failed  a aborted, the newest last");
    for (size_t i = 0; i < now->n_jobs; i++) {
        if (now->jobs[i].is_gone)
            continue;
        add_job(s, &now->jobs[i], now->pid != 0);
        n++;
    }
    if (n == 0) {
        put(s, PLAIN, now->pid != 0 ? "  none" : "  none: there is no tape here");
        new_line(s);
    }
}

static void add_sink(struct screen *s, const struct status_sink *sink, bool is_running)
{
    static const enum color colors[] = {[SINK_STARTING] = YELLOW,
                                        [SINK_WORKING] = GREEN,
                                        [SINK_WAITING] = YELLOW,
                                        [SINK_STOPPED] = RED};

    put(s, PLAIN, "  ");
    put_wrapped(s, BOLD, 4, str_of(sink->url));
    pad_to(s, 4);
    if (is_running) {
        put(s, colors[sink->state], sink_state_name(sink->state));
        if (sink->state != SINK_WORKING && sink->state_since_us != 0) {
            put(s, PLAIN, " for ");
            put_span(s, PLAIN, s->now_us - sink->state_since_us);
        }
        put(s, PLAIN, ", ");
    }
    if (sink->lag == 0)
        put(s, PLAIN, "at the head of the tape");
    else
        putf(s, sink->gathers_us > 0 ? PLAIN : YELLOW, "lag %" PRIu64 " records", sink->lag);
    if (sink->lag > 0 && sink->gathers_us > 0) {
        put(s, PLAIN, ", commits within ");
        put_span(s, PLAIN, sink->gathers_us);
    }
    if (sink->newest_row_us != 0) {
        put(s, PLAIN, ", newest row ");
        put_ago(s, sink->newest_row_us);
    }
    if (sink->n_refused > 0)
        putf(s, YELLOW, ", %" PRIu64 " values in quarantine", sink->n_refused);
    new_line(s);
    if (sink->last_error[0] != '\0') {
        pad_to(s, 4);
        put_wrapped(s, PLAIN, 4, str_of(sink->last_error));
    }
    if (sink->warning[0] != '\0') {
        pad_to(s, 4);
        put(s, YELLOW, "warning: ");
        put_wrapped(s, PLAIN, 4, str_of(sink->warning));
    }
}

static void add_sinks(struct screen *s, const struct status_snapshot *now)
{
    size_t n = 0;

    heading(s, "SINKS");
    for (size_t i = 0; i < now->n_sinks; i++) {
        if (now->sinks[i].is_gone)
            continue;
        add_sink(s, &now->sinks[i], now->pid != 0);
        n++;
    }
    if (n == 0) {
        put(s, PLAIN, "  none");
        new_line(s);
    }
}

/* "34.0 GB free of 100 GB; 45.0 MB more a day: full in 755 days" */
static void add_forecast(struct screen *s, const struct status_disk *disk)
{
    put(s, PLAIN, "  disk: ");
    put_bytes(s, disk->free_bytes);
    put(s, PLAIN, " free of ");
    put_bytes(s, disk->total_bytes);
    if (disk->day_bytes > 0) {
        const uint64_t days = disk->free_bytes / disk->day_bytes;
        put(s, PLAIN, "; ");
        put_bytes(s, disk->day_bytes);
        put(s, PLAIN, " more a day: ");
        if (days > 3650)
            put(s, PLAIN, "enough for 10 years");
        else if (days > 0)
            putf(s, days < 30 ? YELLOW : PLAIN, "full in %" PRIu64 " days", days);
        else
            put(s, RED, "full within a day");
    }
    new_line(s);
}

/* "1.2 GB; oldest record 2026-08-01T14:30:00Z; keeps all" */
static void add_extent(struct screen *s, const struct status_disk *disk)
{
    char text[TIME_TEXT];

    pad_to(s, 2);
    if (disk->tape_bytes == 0)
        put(s, PLAIN, "nothing yet");
    else
        put_bytes(s, disk->tape_bytes);
    if (disk->oldest_us != 0) {
        time_format(time_floor(disk->oldest_us, US_PER_S), text);
        putf(s, PLAIN, "; oldest record %s", text);
    }
    put(s, PLAIN, disk->keep_us == 0 ? "; keeps all" : "; keeps ");
    if (disk->keep_us != 0)
        put_span(s, PLAIN, disk->keep_us);
    new_line(s);
}

static void add_disk(struct screen *s, const struct status_disk *disk)
{
    heading(s, "TAPE");
    if (disk->checked_us == 0) {
        put(s, PLAIN, "  not measured yet");
        new_line(s);
        return;
    }
    add_extent(s, disk);
    add_forecast(s, disk);
    if (disk->last_error[0] != '\0') {
        put(s, RED, "  ! ");
        put_wrapped(s, PLAIN, 4, str_of(disk->last_error));
    }
}

static void add_gaps(struct screen *s, const struct status_snapshot *now)
{
    bool has_any = false;

    for (size_t i = 0; i < now->n_jobs; i++) {
        const struct status_job *job = &now->jobs[i];
        if (job->is_gone || job->n_gaps == 0)
            continue;
        if (!has_any)
            heading(s, "MISSED   slots that passed unpolled since the start");
        has_any = true;
        put(s, PLAIN, "  ");
        put_text(s, PLAIN, job->name);
        putf(s, YELLOW, "  %" PRIu64, job->n_gaps);
        new_line(s);
    }
}

void status_render(struct buf *b, const struct status_snapshot *now, int64_t now_us, int width,
                   bool has_color)
{
    struct screen s = {.b = b, .has_color = has_color, .now_us = now_us};

    width = width < STATUS_MIN_WIDTH ? STATUS_MIN_WIDTH : width;
    s.width = (size_t)(width > STATUS_MAX_WIDTH ? STATUS_MAX_WIDTH : width);
    add_head(&s, now);
    add_readiness(&s, now);
    add_key(&s, &now->key);
    add_budget(&s, &now->budget);
    add_jobs(&s, now);
    add_sinks(&s, now);
    add_disk(&s, &now->disk);
    add_gaps(&s, now);
}
