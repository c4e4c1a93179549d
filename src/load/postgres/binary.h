/* Values in PostgreSQL's binary format: big-endian, times from 2000 on. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_BINARY_H
#define LOAD_POSTGRES_BINARY_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void put_u16(char *p, uint16_t v)
{
    v = htobe16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void put_u32(char *p, uint32_t v)
{
    v = htobe32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void put_u64(char *p, uint64_t v)
{
    v = htobe64(v);
    memcpy(p, &v, sizeof(v));
}

static inline uint32_t get_u32(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return be32toh(v);
}

static inline uint64_t get_u64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return be64toh(v);
}

#define TIMESTAMP_EPOCH_US INT64_C(946684800000000) /* 2000-01-01, since 1970 */
#define TIMESTAMP_FIRST    INT64_C(-211813488000000000)
#define TIMESTAMP_LAST     INT64_C(9223371331200000000)

/* Microseconds since 1970 as a timestamptz has them; beyond its range it is ±infinity. */
static inline int64_t timestamp_of_us(int64_t us)
{
    if (us < TIMESTAMP_FIRST + TIMESTAMP_EPOCH_US)
        return INT64_MIN;
    return us - TIMESTAMP_EPOCH_US < TIMESTAMP_LAST ? us - TIMESTAMP_EPOCH_US : INT64_MAX;
}

static inline int64_t timestamp_to_us(int64_t timestamp)
{
    return timestamp > TIMESTAMP_LAST - TIMESTAMP_EPOCH_US ? INT64_MAX
                                                           : timestamp + TIMESTAMP_EPOCH_US;
}

#endif
