/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/service.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "status/ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SHOW_US     (5 * US_PER_S)
#define MAX_REASONS 4096

/* ---- beginning ---- */

/* The watchdog may be meant for another process: WATCHDOG_PID. */
static int64_t read_watchdog(const char *area)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    int64_t us = 0, of = 0;

    if (usec == NULL)
        return 0;
    if (pid && !str_to_i64(str_of(pid), 1, INT32_MAX, &of))
        log_warn(area, "the service manager's WATCHDOG_PID is no process", LOG_Z("what", pid));
    if (pid && of != (int64_t)getpid())
        return 0;
    if (!str_to_i64(str_of(usec), 1, INT64_MAX, &us))
        log_warn(area, "the service manager's WATCHDOG_USEC is no time", LOG_Z("what", usec));
    return us;
}

void service_open(struct service *s, const char *area)
{
    struct err err = ERR_INIT;

    *s = (struct service){.area = area};
    if (notify_open(&s->notify, getenv("NOTIFY_SOCKET"), &err) != ST_OK)
        log_warn(area, "the service manager cannot be told anything", LOG_Z("error", err.msg));
    if (s->notify.fd >= 0)
        s->watchdog_us = read_watchdog(area);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void service_close(struct service *s)
{
    notify_close(&s->notify);
}

bool service_is_on(const struct service *s)
{
    return s->notify.fd >= 0;
}

/* ---- telling ---- */

static void tell(struct service *s, const char *lines)
{
    struct err err = ERR_INIT;
    const bool is_refused = notify_send(&s->notify, lines, &err) != ST_OK;

    if (is_refused && !s->is_refused)
        log_warn(s->area, "the service manager does not take what it is told",
                 LOG_Z("error", err.msg));
    s->is_refused = is_refused;
}

void service_ready(struct service *s)
{
    tell(s, "READY=1");
    s->told_us = 0;
}

void service_reloading(struct service *s)
{
    struct timespec now;
    char lines[96];

    /* by this moment it tells the answer to its signal from one of before */
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(s, lines);
}

void service_stopping(struct service *s)
{
    tell(s, "STOPPING=1\nSTATUS=stopping");
}

int64_t service_patience_us(const struct service *s)
{
    return s->watchdog_us / 2;
}

int64_t service_nap_us(const struct service *s, int64_t longest_us)
{
    int64_t us = longest_us;

    if (service_is_on(s) && us > SHOW_US)
        us = SHOW_US;
    if (s->watchdog_us > 0 && us > s->watchdog_us / 4)
        us = s->watchdog_us / 4;
    return us;
}

bool service_tend(struct service *s, const char *stuck)
{
    const int64_t now_us = clock_mono_us(clock_system());

    if (!service_is_on(s))
        return false;
    if (stuck && !s->is_stuck && s->watchdog_us > 0)
        log_error(s->area, "a part does not come round: the watchdog is told nothing",
                  LOG_Z("what", stuck));
    if (!stuck && s->is_stuck)
        log_info(s->area, "every part comes round again");
    s->is_stuck = stuck != NULL && s->watchdog_us > 0;
    if (s->watchdog_us > 0 && !stuck &&
        (s->told_us == 0 || now_us - s->told_us >= s->watchdog_us / 4)) {
        tell(s, "WATCHDOG=1");
        s->told_us = now_us;
    }
    if (s->shown_us != 0 && now_us - s->shown_us < SHOW_US)
        return false;
    s->shown_us = now_us;
    return true;
}

/* ---- how it goes ---- */

void service_show(struct service *s, const char *text)
{
    char line[sizeof(s->text) + 8];

    if (!service_is_on(s) || strncmp(text, s->text, sizeof(s->text) - 1) == 0)
        return;
    snprintf(s->text, sizeof(s->text), "%s", text);
    snprintf(line, sizeof(line), "STATUS=%s", s->text);
    tell(s, line);
}

static void add_summary(struct buf *b, const struct status_snapshot *now)
{
    int64_t ended_us = 0;
    size_t n_jobs = 0, n_sinks = 0;
    char text[TIME_TEXT];

    for (size_t i = 0; i < now->n_jobs; i++) {
        n_jobs += !now->jobs[i].is_idle;
        if (now->jobs[i].last_ended_us > ended_us)
            ended_us = now->jobs[i].last_ended_us;
    }
    for (size_t i = 0; i < now->n_sinks; i++)
        n_sinks += !now->sinks[i].is_gone;
    buf_addf(b, "ready: jobs %zu, %s %zu", n_jobs, now->is_reader ? "stores" : "sinks", n_sinks);
    if (ended_us > 0) {
        time_format(ended_us, text);
        buf_addf(b, ", newest poll %s", text);
    }
}

/* The first reason stands for all: there is one line. */
void service_show_status(struct service *s, struct status *status)
{
    struct status_snapshot *now = mem_new(1, sizeof(*now));
    struct buf reasons = BUF_INIT(MAX_REASONS), line = BUF_INIT(MAX_REASONS);
    struct str rest, first = STR("");

    status_copy(status, now);
    if (ready_add_reasons(&reasons, now, clock_wall_us(clock_system()))) {
        add_summary(&line, now);
    } else {
        rest = buf_str(&reasons);
        (void)str_cut(&rest, '\n', &first);
        buf_addf(&line, "not ready: %.*s", STR_ARG(first));
    }
    service_show(s, buf_z(&line));
    buf_release(&reasons);
    buf_release(&line);
    mem_free(now);
}
