/* The server's certificate and key, from files, which can be read anew while it runs.
 *
 * Threads: tls_reload() any; tls_use_here() and libmicrohttpd's questions the server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_TLS_H
#define SERVE_TLS_H

#include "base/err.h"

struct tls;
struct MHD_OptionItem;

/* Files in PEM; the certificate's may hold its chain. The paths are borrowed. ST_FATAL: cannot be
 * read, or do not fit each other. Owner: tls_close(). */
enum st tls_open(const char *cert_path, const char *key_path, struct tls **ret_tls,
                 struct err *err) MUST_USE;
void tls_close(struct tls *t); /* NULL is fine; after the last connection */

/* Read the files again: for connections from now on. After a failure what was read before goes on.
 */
enum st tls_reload(struct tls *t, struct err *err) MUST_USE;

/* What MHD_start_daemon() takes as MHD_OPTION_ARRAY beside MHD_USE_TLS. */
const struct MHD_OptionItem *tls_options(void);

/* libmicrohttpd asks for certificates without saying on whose behalf: on this thread, it is t. */
void tls_use_here(const struct tls *t);

#endif
