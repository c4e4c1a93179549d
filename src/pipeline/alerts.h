/* From the settings to alerts: which job each watches, and the sink that judges its polls. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_ALERTS_H
#define PIPELINE_ALERTS_H

#include "alert/alerts.h"
#include "base/sink_url.h"
#include "config/config.h"

/* The alerts of --alert; *ret_alerts is NULL when there are none. ST_REJECT with the mend. Owner:
 * alerts_free(). */
enum st setup_alerts(const struct config *config, const char *data_dir, struct clock *clock,
                     struct alerts **ret_alerts, struct err *err) MUST_USE;

/* Name every alert of the settings that cannot be one, each by where it was given. */
void setup_check_alerts(const struct config *config, const struct settings *settings,
                        struct opt_problems *problems);

/* The sink alerts:DATA/alerts.db of them, which borrows them. Another text for other rules: a
 * reload tells them apart by it. */
enum st setup_alerts_sink(struct alerts *alerts, struct sink_url *ret_url,
                          struct err *err) MUST_USE;

/* Nobody judges polls here any more: nothing is kept on the tape for it. */
void setup_forget_alerts(const char *data_dir);

#endif
