/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/doctor.h"
#include "cmd/stopped.h"
#include "control/control.h"
#include "status/render.h"
#include "tape/tape.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRY_BYTES  (64 * 1024)
#define FREE_FAIL  (UINT64_C(100) * 1000 * 1000)
#define FREE_WARN  (UINT64_C(1000) * 1000 * 1000)
#define SLOW_SYNC  US_PER_S
#define MAX_LIST   ((size_t)1024 * 1024)
#define MAX_SUFFIX 5 /* of ".torn" */

/* ---- a directory ---- */

static const char *mend_of(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return "the disk is full: make room, or name another directory";
    case EROFS:
        return "mount it for writing, or name another directory";
    case EACCES:
    case EPERM:
        return "give this user the right to write there (chown, chmod), or name another directory";
    case EIO:
        return "the disk fails: look at the kernel's log (dmesg)";
    default:
        return "name another directory";
    }
}

static bool refuse(struct err *err, int errnum, const char *path, const char *what)
{
    char text[128];

    err_ignore(err_set(err, ST_REJECT, "%s: %s: %s; %s", path, what,
                       strerror_r(errnum, text, sizeof(text)), mend_of(errnum)));
    return false;
}

/* A file without a name; where the file system has none of these, one that loses it at once. */
static int open_nameless(const char *path)
{
    char name[FILE_MAX_PATH];
    struct err err = ERR_INIT;
    int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    if (file_path(name, &err, "%s/.geckotape-doctor-XXXXXX", path) != ST_OK) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

bool doctor_try_directory(const char *path, int64_t *ret_sync_us, struct err *err)
{
    static const char bytes[TRY_BYTES];
    const int fd = open_nameless(path);

    if (fd < 0)
        return refuse(err, errno, path, "no file can be made");
    errno = 0;
    const ssize_t n = write(fd, bytes, sizeof(bytes));
    const int write_errno = n < 0 ? errno : n < TRY_BYTES ? ENOSPC : 0;
    const int64_t start_us = clock_mono_us(clock_system());
    const int sync_errno = fdatasync(fd) == 0 ? 0 : errno;
    *ret_sync_us = clock_mono_us(clock_system()) - start_us;
    close(fd);
    if (write_errno != 0)
        return refuse(err, write_errno, path, "nothing can be written");
    if (sync_errno != 0)
        return refuse(err, sync_errno, path, "what is written cannot be synced");
    return true;
}

bool doctor_can_make(const char *path, char *ret_parent, struct err *err)
{
    struct stat info;
    int64_t sync_us;

    snprintf(ret_parent, FILE_MAX_PATH, "%s", path);
    while (stat(ret_parent, &info) != 0) {
        char *slash = strrchr(ret_parent, '/');
        if (errno != ENOENT)
            return refuse(err, errno, ret_parent, "cannot be looked at");
        if (slash == ret_parent)
            slash[1] = '\0';
        else if (slash)
            slash[0] = '\0';
        else
            snprintf(ret_parent, FILE_MAX_PATH, ".");
    }
    if (!S_ISDIR(info.st_mode))
        return refuse(err, ENOTDIR, ret_parent, "cannot hold it");
    return doctor_try_directory(ret_parent, &sync_us, err);
}

/* ---- the data directory ---- */

static void say_owner(struct doctor *d, const struct stat *info)
{
    if (info->st_uid != geteuid())
        doctor_say(d, FINDING_WARN, "owner",
                   "%s belongs to user %ld and this is user %ld: files that one makes the other "
                   "may not write; run geckotape as its owner",
                   d->data_dir, (long)info->st_uid, (long)geteuid());
}

static void say_space(struct doctor *d)
{
    struct buf text = BUF_INIT(128);
    uint64_t free_bytes, total_bytes;
    struct err err = ERR_INIT;

    if (stopped_disk(d->data_dir, &free_bytes, &total_bytes, &err) != ST_OK) {
        doctor_say(d, FINDING_WARN, "disk", "%s", err.msg);
        return;
    }
    if (total_bytes == 0)
        return; /* no disk at all: what is wrong with the directory was said */
    status_add_bytes(&text, free_bytes);
    buf_add_z(&text, " free of ");
    status_add_bytes(&text, total_bytes);
    if (free_bytes < FREE_WARN)
        buf_add_z(&text, "; make room, or let the tape keep less (--tape-keep)");
    doctor_say(d,
               free_bytes < FREE_FAIL   ? FINDING_FAIL
               : free_bytes < FREE_WARN ? FINDING_WARN
                                        : FINDING_OK,
               "disk", "%s", buf_z(&text));
    buf_release(&text);
}

/* Made-up data and real ones never mix: run would refuse, too. */
static void say_simulated(struct doctor *d)
{
    char marker[FILE_MAX_PATH], tape[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    if (file_path(marker, &err, "%s/SIMULATED", d->data_dir) != ST_OK ||
        file_path(tape, &err, "%s/tape", d->data_dir) != ST_OK)
        return;
    const bool is_marked = access(marker, F_OK) == 0;
    if (is_marked && !d->config->is_simulated)
        doctor_say(d, FINDING_FAIL, "data",
                   "%s holds simulated data; give --data another directory, or add --simulate",
                   d->data_dir);
    if (!is_marked && d->config->is_simulated && access(tape, F_OK) == 0)
        doctor_say(d, FINDING_FAIL, "data",
                   "%s holds real data, simulated data may not mix with it; leave --data out or "
                   "name another",
                   d->data_dir);
}

static bool say_directory(struct doctor *d)
{
    char parent[FILE_MAX_PATH];
    int64_t sync_us = 0;
    struct stat info;
    struct err err = ERR_INIT;

    if (stat(d->data_dir, &info) != 0) {
        const bool is_absent = errno == ENOENT;
        if (is_absent && doctor_can_make(d->data_dir, parent, &err))
            doctor_say(d, FINDING_OK, "data", "%s is not there yet and will be made", d->data_dir);
        else if (is_absent)
            doctor_say(d, FINDING_FAIL, "data", "%s cannot be made: %s", d->data_dir, err.msg);
        else
            doctor_say(d, FINDING_FAIL, "data", "%s: %s; name another with --data", d->data_dir,
                       strerrordesc_np(errno));
        return false;
    }
    if (!S_ISDIR(info.st_mode)) {
        doctor_say(d, FINDING_FAIL, "data", "%s is no directory; name another with --data",
                   d->data_dir);
        return false;
    }
    if (!doctor_try_directory(d->data_dir, &sync_us, &err)) {
        doctor_say(d, FINDING_FAIL, "data", "%s", err.msg);
        return true;
    }
    doctor_say(d, sync_us > SLOW_SYNC ? FINDING_WARN : FINDING_OK, "data",
               "%s can be written; a sync takes %.1f ms%s", d->data_dir, (double)sync_us / 1e3,
               sync_us > SLOW_SYNC ? "; each page of a poll waits for one: a faster disk helps"
                                   : "");
    say_owner(d, &info);
    say_simulated(d);
    return true;
}

/* ---- who holds it ---- */

static void add_line(void *ctx, struct str line)
{
    buf_add_str(ctx, line);
    buf_add_char(ctx, '\n');
}

static void say_holder(struct doctor *d)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    char path[FILE_MAX_PATH];
    pid_t holder = 0;
    struct err err = ERR_INIT;

    enum st st = file_path(path, &err, "%s/lock", d->data_dir);
    d->is_held = st == ST_OK && file_is_locked(path, &holder);
    if (!d->is_held) {
        doctor_say(d, FINDING_OK, "process", "nobody runs on %s", d->data_dir);
        buf_release(&request);
        return;
    }
    control_put(&request, "status", NULL);
    control_put(&request, "json", "1");
    st = control_call(d->data_dir, &request, add_line, &d->state, &err);
    d->is_asked = st == ST_OK && !d->state.is_overflow;
    if (d->is_asked)
        doctor_say(d, FINDING_OK, "process", "%ld runs on %s and answers", (long)holder,
                   d->data_dir);
    else
        doctor_say(d, FINDING_WARN, "process",
                   "%ld writes to %s and takes no requests (%s); it may just start or stop, or be "
                   "geckotape once",
                   (long)holder, d->data_dir, err.msg);
    buf_release(&request);
}

/* ---- the tape ---- */

static size_t count_torn(const char *dir)
{
    DIR *all = opendir(dir);
    size_t n = 0;

    if (all == NULL)
        return 0;
    for (struct dirent *e; (e = readdir(all)) != NULL;) {
        const size_t len = strlen(e->d_name);
        n += len > MAX_SUFFIX && strcmp(e->d_name + len - MAX_SUFFIX, ".torn") == 0;
    }
    closedir(all);
    return n;
}

static void say_torn(struct doctor *d, const char *job)
{
    char dir[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    if (tape_stream_dir(d->data_dir, job, dir, &err) != ST_OK)
        return;
    const size_t n = count_torn(dir);
    if (n > 0)
        doctor_say(d, FINDING_WARN, "tape",
                   "%zu torn end%s of a write that a crash cut short kept in %s; nothing that was "
                   "synced is lost, *.torn may be deleted",
                   n, n == 1 ? "" : "s", dir);
}

static void say_tape(struct doctor *d)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));
    char oldest[TIME_TEXT] = "none";
    struct buf size = BUF_INIT(64);
    struct err err = ERR_INIT;

    if (stopped_read(d->config, d->data_dir, s, &err) != ST_OK) {
        doctor_say(d, FINDING_FAIL, "tape",
                   "%s; geckotape tape verify tells more, and what can be read can be loaded",
                   err.msg);
    } else if (s->n_jobs == 0) {
        doctor_say(d, FINDING_OK, "tape", "none yet");
    } else {
        for (size_t i = 0; i < s->n_jobs; i++)
            say_torn(d, s->jobs[i].name);
        if (s->disk.oldest_us != 0)
            time_format(time_floor(s->disk.oldest_us, US_PER_S), oldest);
        status_add_bytes(&size, s->disk.tape_bytes);
        doctor_say(d, FINDING_OK, "tape", "%zu stream%s readable to the end, %s, oldest record %s",
                   s->n_jobs, s->n_jobs == 1 ? "" : "s", buf_z(&size), oldest);
    }
    buf_release(&size);
    mem_free(s);
}

/* ---- the log ---- */

static void say_log(struct doctor *d)
{
    const char *path = d->config->log_file;
    char parent[FILE_MAX_PATH];
    struct err err = ERR_INIT;
    struct stat info;

    if (path[0] == '\0')
        return;
    if (stat(path, &info) != 0) {
        if (doctor_can_make(path, parent, &err))
            doctor_say(d, FINDING_OK, "log", "%s will be made", path);
        else
            doctor_say(d, FINDING_FAIL, "log", "%s: %s", path, err.msg);
        return;
    }
    const int fd =
        S_ISDIR(info.st_mode) ? -1 : open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        doctor_say(d, FINDING_FAIL, "log", "%s: %s; name another with --log-file", path,
                   strerrordesc_np(S_ISDIR(info.st_mode) ? EISDIR : errno));
    else
        doctor_say(d, FINDING_OK, "log", "%s can be written", path);
    if (fd >= 0)
        close(fd);
}

void doctor_disk(struct doctor *d)
{
    const bool is_there = say_directory(d);

    say_space(d);
    if (is_there) {
        say_holder(d);
        say_tape(d);
    }
    say_log(d);
}
