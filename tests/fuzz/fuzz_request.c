/* Any bytes sent to the HTTP server: it answers in HTTP, waits for more or hangs up, and serves the
 * next one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "simulator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct timeval patience = {.tv_usec = 3000}; /* it may rightly wait for the rest */
    int fd = simulator_connect();

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    client_send(fd, (struct str){(const char *)data, size});
    shutdown(fd, SHUT_WR);
    struct client c = client_read(fd, false);
    close(fd);
    assert(c.all.len == 0 || client_status(&c) >= 100);
    c = simulator_get("/api/v3/ping");
    if (client_status(&c) != 200) {
        fprintf(stderr, "ping: \"%.*s\" %s\n", STR_ARG(c.all), strerror(c.error));
        abort();
    }
    return 0;
}
