/* The drivers, for registry.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_DRIVERS_H
#define LOAD_DRIVERS_H

#include "load/sink.h"

extern const struct sink_driver sink_alerts; /* alerts/alerts.c */
extern const struct sink_driver sink_json;   /* json/json.c */
extern const struct sink_driver sink_lake_az, sink_lake_s3;
extern const struct sink_driver sink_lake;   /* lake/lake.c */
extern const struct sink_driver sink_memory; /* memory.c */
#ifdef HAVE_MQTT
extern const struct sink_driver sink_mqtt; /* mqtt/mqtt.c */
#endif
extern const struct sink_driver sink_null; /* null.c */
#ifdef HAVE_POSTGRES
extern const struct sink_driver sink_postgres; /* postgres/postgres.c */
#endif
extern const struct sink_driver sink_sqlite; /* sqlite/sqlite.c */

#endif
