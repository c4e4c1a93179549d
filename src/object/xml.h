/* The XML of stores' answers, over expat: tolerant of what is not known, closed to what is not data
 * (a document type is refused, and with it entities of its own). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_XML_H
#define OBJECT_XML_H

#include "base/err.h"
#include "base/str.h"

/* Told of each element when it ends: its path ("ListBucketResult/Contents/Key"; prefixes of
 * namespaces are dropped) and its own text. is_encoded: it has Encoded="true", as Azure marks names
 * that XML cannot hold. Anything but ST_OK ends the walk. */
typedef enum st xml_end(void *ctx, const char *path, struct str text, bool is_encoded,
                        struct err *err);

/* ST_REJECT when it is no XML, too deep, or has an element of more text than XML_MAX_TEXT. */
enum st xml_walk(struct str text, xml_end *on_end, void *ctx, struct err *err) MUST_USE;

#define XML_MAX_DEPTH 16
#define XML_MAX_TEXT  (64u * 1024)

#endif
