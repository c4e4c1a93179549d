/* What is doubtful and what is missing: /api/quarantine, /api/quality and /api/coverage.
 *
 *   GET /api/quarantine?limit=            what was refused, newest first
 *   GET /api/quality?limit=               values that are hardly true, newest first
 *   GET /api/coverage?job=&from=&until=   polls and promises of a job by UTC days
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_UPKEEP_H
#define SERVE_UPKEEP_H

#include "serve/own.h"

#define UPKEEP_LIMIT      100 /* rows of an answer, unless asked otherwise */
#define UPKEEP_MAX_LIMIT  1000
#define COVERAGE_SINCE_US (30 * INT64_C(86400000000)) /* before until, unless asked otherwise */

void quarantine_get(struct own *own, const struct http_request *req, struct http_response *res);
void quality_get(struct own *own, const struct http_request *req, struct http_response *res);
void coverage_get(struct own *own, const struct http_request *req, struct http_response *res);

extern const struct operation op_quarantine, op_quality, op_coverage;

#endif
