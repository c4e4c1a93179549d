/* The files that AWS's tools share: sections in brackets, "name = value". */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_AWS_PROFILE_H
#define OBJECT_AWS_PROFILE_H

#include "base/err.h"
#include "base/str.h"

#define AWS_PROFILE_VALUE 2048 /* bytes, NUL included */

/* The value of `name` in the section; false when it is not there or too long. */
bool aws_profile_value(struct str file, const char *section, const char *name,
                       char ret_value[AWS_PROFILE_VALUE]);

#endif
