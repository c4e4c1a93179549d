/* What run, extract, load and serve tell the service manager that started them (systemd): when they
 * are ready, reload and stop, how it goes, and, as long as every part keeps its promises, that they
 * are alive. Without one (no $NOTIFY_SOCKET) nothing is told.
 *
 * Thread: the main one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_SERVICE_H
#define CMD_SERVICE_H

#include "base/notify.h"
#include "status/status.h"

struct service {
    struct notify notify;
    const char *area;    /* of what is logged */
    int64_t watchdog_us; /* how often it wants a sign of life; 0: it does not watch */
    int64_t told_us;     /* monotonic: the last one */
    int64_t shown_us;    /* … and the last look at how it goes */
    bool is_stuck;       /* it was logged */
    bool is_refused;     /* that nobody takes what is told */
    char text[256];      /* the STATUS it has */
};

/* Take over NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID: no child inherits them. What is wrong in
 * them is logged, by name. */
void service_open(struct service *s, const char *area);
void service_close(struct service *s);

/* How long the caller may sleep before service_tend(); at most longest_us, which also is the answer
 * when nobody wants to know anything. */
int64_t service_nap_us(const struct service *s, int64_t longest_us);
bool service_is_on(const struct service *s);

void service_ready(struct service *s);
void service_reloading(struct service *s);
void service_stopping(struct service *s);

/* How long a broken promise is overlooked (base/pulse.h). */
int64_t service_patience_us(const struct service *s);

/* Say that all is alive, if it is time and `stuck` is NULL; else it names the part that is not.
 * False: it is not yet time to look at how things go. */
bool service_tend(struct service *s, const char *stuck);

/* How it goes, on a line; told when it has changed. */
void service_show(struct service *s, const char *text);

/* The same of a snapshot: what is not ready, else how many jobs and sinks there are. */
void service_show_status(struct service *s, struct status *status);

#endif
