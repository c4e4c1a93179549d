/* Files that survive: atomic replacement, synced directories, bounded reading, locks. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

/* ST_AGAIN or ST_FATAL: a disk that is full or over quota may have room later; a missing permission
 * will not grow. */
enum st file_st_of_errno(int errnum);

#define FILE_MAX_PATH 1024 /* bytes, NUL included; longer paths are refused by name */

/* printf into a path buffer; ST_FATAL when it does not fit. */
enum st file_path(char ret_path[FILE_MAX_PATH], struct err *err, const char *fmt, ...)
    PRINTF(3, 4) MUST_USE;

/* Create the directory and its parents (mode 0755 less the umask); fine when it exists. Every
 * created entry is synced into its parent. ST_AGAIN on a full disk, else ST_FATAL. */
enum st file_mkdirs(const char *path, struct err *err) MUST_USE;

/* fsync a directory, so that names created or removed in it survive a power cut. */
enum st file_sync_dir(const char *path, struct err *err) MUST_USE;

/* Write all of it at the file's position. ST_AGAIN for every failure (a full disk, an I/O error):
 * how much was written is unknown, the caller decides what becomes of the file. */
enum st file_write_all(int fd, const void *bytes, size_t len, const char *path,
                       struct err *err) MUST_USE;

/* Make `path` hold exactly these bytes, or leave it as it was: temporary file beside it, fsync,
 * rename, directory sync. ST_AGAIN when the disk refuses. */
enum st file_replace(const char *path, struct str bytes, struct err *err) MUST_USE;

/* Append the whole file to buf (its ceiling holds). A pipe or a device (a secret, <(...) of a
 * shell) is read to its end too, for 5 s at most. ST_REJECT when there is no such file (err->sys
 * ENOENT), it is too large, or the pipe did not end; ST_AGAIN on a read error. */
enum st file_read(const char *path, struct buf *ret_bytes, struct err *err) MUST_USE;

/* Read exactly len bytes at `at`. ST_REJECT when the file ends before; ST_AGAIN on a read error. */
enum st file_read_at(int fd, void *ret_bytes, size_t len, int64_t at, const char *path,
                     struct err *err) MUST_USE;

/* Take an exclusive lock on `path` (created; our pid written into it) for as long as *ret_fd is
 * open, also across kill -9; *ret_holder is then the pid of the holder before if that one was
 * killed, or else did not use file_unlock(); 0: none. ST_REJECT when somebody else holds it:
 * *ret_holder is its pid, 0 when unreadable. */
enum st file_lock(const char *path, int *ret_fd, pid_t *ret_holder, struct err *err) MUST_USE;
void file_unlock(int fd);

/* Does somebody hold that lock now? *ret_holder as above. */
bool file_is_locked(const char *path, pid_t *ret_holder);

#endif
