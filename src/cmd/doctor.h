/* Between the files of `doctor`: each check reports lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_DOCTOR_H
#define CMD_DOCTOR_H

#include "base/err.h"
#include "config/config.h"

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
    const struct config *config;
    const char *data_dir;
    size_t n_failed, n_warned;
    bool is_held;  /* a process has the data directory's lock … */
    bool is_asked; /* … and answered: `state` is what it said, /api/status */
    struct buf state;
};

/* Print "ok|warn|FAIL  what: finding; mend". */
void doctor_say(struct doctor *d, enum finding finding, const char *what, const char *fmt, ...)
    PRINTF(4, 5);

/* Can files be made, written and synced in this directory? Leaves nothing behind. False: err says
 * why, with the mend; *ret_sync_us is how long the sync took. */
bool doctor_try_directory(const char *path, int64_t *ret_sync_us, struct err *err);

/* Can `path`, which is not there, be made? ret_parent (FILE_MAX_PATH bytes): the nearest parent
 * that is there, tried as above. */
bool doctor_can_make(const char *path, char *ret_parent, struct err *err);

/* Directory, lock and its holder, tape, log file. */
void doctor_disk(struct doctor *d);

/* Clock, API, key, rate. */
void doctor_api(struct doctor *d);

void doctor_sinks(struct doctor *d);

#endif
