/* SPDX-License-Identifier: Apache-2.0 */
#include "query/nearest.h"

#include "tap.h"

static char long_id[100];

static const struct nearest_name names[] = {
    {STR("bitcoin"), STR("btc")},
    {STR("bitcoin-cash"), STR("bch")},
    {STR("ethereum"), STR("eth")},
    {STR("wrapped-bitcoin"), STR("wbtc")},
    {STR("bridged-bitcoin"), STR("btc")},
    {STR("-x"), STR("")},
    {STR("eur"), STR("")},
    {{long_id, sizeof(long_id)}, STR("long")},
};

static const char *near(const char *wrong)
{
    static struct buf b = BUF_INIT(4096);

    memset(long_id, 'a', sizeof(long_id));
    buf_clear(&b);
    nearest_add(&b, str_of(wrong), names, sizeof(names) / sizeof(names[0]));
    return buf_z(&b);
}

static void a_symbol_means_the_plainest_of_its_coins_first(void)
{
    CHECK_Z(near("btc"), "bitcoin or bridged-bitcoin");
    CHECK_Z(near("eth"), "ethereum or eur");
}

static void what_is_typed_wrong_is_near(void)
{
    CHECK_Z(near("bitcion"), "bitcoin");
    CHECK_Z(near("etherum"), "ethereum");
    CHECK_Z(near("eru"), "eur");
}

static void what_goes_on_so_is_near(void)
{
    CHECK_Z(near("bitc"), "bitcoin or bitcoin-cash");
}

static void nothing_is_near_to_what_is_far_or_long(void)
{
    char much[300];

    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    CHECK_Z(near("qqqqqq"), "");
    CHECK_Z(near(much), "");
    CHECK_Z(near(""), "");
}

TAP_MAIN(TAP_CASE(a_symbol_means_the_plainest_of_its_coins_first),
         TAP_CASE(what_is_typed_wrong_is_near), TAP_CASE(what_goes_on_so_is_near),
         TAP_CASE(nothing_is_near_to_what_is_far_or_long))
