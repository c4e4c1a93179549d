/* The alerts of a data directory: rules, where each goes, and the delivery of what fired.
 *
 * The loader's driver (load/alerts/) judges polls and fills the outbox of DATA/alerts.db; a thread
 * of its own empties it, so that no receiver holds up anybody. At least once: a message leaves the
 * outbox when its receiver has taken it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_ALERTS_H
#define ALERT_ALERTS_H

#include "alert/channel.h"
#include "alert/message.h"
#include "alert/store.h"
#include "base/clock.h"

#define ALERTS_MAX 64

struct alert {
    struct alert_rule rule; /* its job and currency are those that were found for it */
    struct alert_channel to;
    char key[ALERT_KEY_MAX]; /* its name in the store: the condition and a hash of the channel */
};

/* "CONDITION [to] CHANNEL". ST_REJECT with the mend. Its key is alerts_add()'s. */
enum st alert_parse(struct str line, struct alert *ret_alert, struct err *err) MUST_USE;

struct alerts;

/* Owner: alerts_free(). */
struct alerts *alerts_new(const char *data_dir, struct clock *clock);
void alerts_free(struct alerts *a); /* NULL is fine; after alerts_stop() */

/* ST_REJECT beyond ALERTS_MAX. */
enum st alerts_add(struct alerts *a, const struct alert *alert, struct err *err) MUST_USE;
size_t alerts_count(const struct alerts *a);
const struct alert *alerts_at(const struct alerts *a, size_t i);
const char *alerts_data_dir(const struct alerts *a);

/* Calls that may be made in the period; 0: not known. */
void alerts_set_budget(struct alerts *a, int64_t calls);
int64_t alerts_budget(const struct alerts *a);

/* Changes with the rules, and with where they go: 16 hex digits. */
void alerts_fingerprint(const struct alerts *a, char ret_text[17]);

/* ---- delivery ---- */

enum st alerts_start(struct alerts *a, struct err *err) MUST_USE;
void alerts_wake(struct alerts *a); /* any thread: the outbox of this path has something new */

/* End the thread; what nobody took stays in the outbox. What is on its way gets until then. */
void alerts_stop(struct alerts *a, int64_t deadline_us);

/* In place of the thread: try to deliver all there is, once each. ST_AGAIN: some of it stays. */
enum st alerts_flush(struct alerts *a, struct err *err) MUST_USE;

/* Where the outbox is: DATA/alerts.db. */
const char *alerts_path(const struct alerts *a);

#endif
