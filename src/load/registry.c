/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "load/drivers.h"

const struct sink_driver *const sink_drivers[] = {
    &sink_sqlite,
#ifdef HAVE_POSTGRES
    &sink_postgres,
#endif
    &sink_json,     &sink_lake, &sink_lake_s3, &sink_lake_az,
#ifdef HAVE_MQTT
    &sink_mqtt,
#endif
    &sink_memory,   &sink_null, &sink_alerts,  NULL,
};

enum st sink_driver_find(struct str scheme, const struct sink_driver **ret_driver, struct err *err)
{
    struct buf known = BUF_INIT(256);

    for (size_t i = 0; sink_drivers[i]; i++) {
        if (str_eq(scheme, str_of(sink_drivers[i]->scheme)) ||
            (sink_drivers[i]->alias && str_eq(scheme, str_of(sink_drivers[i]->alias)))) {
            *ret_driver = sink_drivers[i];
            buf_release(&known);
            return ST_OK;
        }
        if (sink_drivers[i]->example) /* people can name it */
            buf_addf(&known, "%s%s:", i > 0 ? ", " : "", sink_drivers[i]->scheme);
    }
    enum st st = err_set(err, ST_REJECT, "this geckotape has no sink driver \"%.*s:\"; it has %s",
                         STR_ARG(scheme), buf_z(&known));
    buf_release(&known);
    return st;
}
