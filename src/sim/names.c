/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/names.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ids, symbols and names are facts; prices and supplies are only of the right size. */
static const struct {
    const char *id, *symbol, *name;
    double price, supply;
} known[] = {
    {"bitcoin", "btc", "Bitcoin", 77074, 20021696},
    {"ethereum", "eth", "Ethereum", 2295.91, 120688270.8382775},
    {"tether", "usdt", "Tether", 1, 189e9},
    {"ripple", "xrp", "XRP", 1.42, 61e9},
    {"binancecoin", "bnb", "BNB", 625, 136e6},
    {"usd-coin", "usdc", "USDC", 1, 77e9},
    {"solana", "sol", "Solana", 85.4, 575e6},
    {"tron", "trx", "TRON", 0.323, 94.7e9},
    {"dogecoin", "doge", "Dogecoin", 0.0982, 153e9},
    {"hyperliquid", "hype", "Hyperliquid", 41, 238e6},
    {"cardano", "ada", "Cardano", 0.249, 36.1e9},
    {"bitcoin-cash", "bch", "Bitcoin Cash", 441, 20.02e6},
    {"leo-token", "leo", "LEO Token", 9.21, 921e6},
    {"chainlink", "link", "Chainlink", 9.37, 708e6},
    {"monero", "xmr", "Monero", 345, 18.4e6},
    {"ethena-usde", "usde", "Ethena USDe", 0.9998, 5.9e9},
    {"stellar", "xlm", "Stellar", 0.165, 32.9e9},
    {"dai", "dai", "Dai", 0.9997, 4.6e9},
    {"litecoin", "ltc", "Litecoin", 55.1, 76.9e6},
    {"zcash", "zec", "Zcash", 238, 16.6e6},
    {"avalanche-2", "avax", "Avalanche", 9.16, 432e6},
    {"hedera-hashgraph", "hbar", "Hedera", 0.0897, 43e9},
    {"sui", "sui", "Sui", 0.93, 3.9e9},
    {"shiba-inu", "shib", "Shiba Inu", 0.00000608, 589e12},
    {"the-open-network", "ton", "Toncoin", 1.31, 2.45e9},
    {"crypto-com-chain", "cro", "Cronos", 0.0712, 42.6e9},
    {"polkadot", "dot", "Polkadot", 1.24, 1.66e9},
    {"uniswap", "uni", "Uniswap", 3.3, 634e6},
    {"mantle", "mnt", "Mantle", 0.62, 3.25e9},
    {"bittensor", "tao", "Bittensor", 251, 9.6e6},
    {"near", "near", "NEAR Protocol", 1.38, 1.29e9},
    {"aave", "aave", "Aave", 96.4, 15.2e6},
    {"pepe", "pepe", "Pepe", 0.00000392, 420.69e12},
    {"okb", "okb", "OKB", 84.3, 21e6},
    {"internet-computer", "icp", "Internet Computer", 2.51, 548e6},
    {"ethereum-classic", "etc", "Ethereum Classic", 8.4, 156e6},
    {"ondo-finance", "ondo", "Ondo", 0.26, 4.86e9},
    {"pax-gold", "paxg", "PAX Gold", 4710, 490e3},
    {"kaspa", "kas", "Kaspa", 0.0331, 27.2e9},
    {"cosmos", "atom", "Cosmos Hub", 1.83, 497e6},
    {"algorand", "algo", "Algorand", 0.0911, 8.9e9},
    {"aptos", "apt", "Aptos", 0.93, 780e6},
    {"filecoin", "fil", "Filecoin", 0.88, 760e6},
    {"vechain", "vet", "VeChain", 0.0071, 86e9},
    {"arbitrum", "arb", "Arbitrum", 0.104, 5.9e9},
    {"bonk", "bonk", "Bonk", 0.0000061, 88e12},
    {"jupiter-exchange-solana", "jup", "Jupiter", 0.163, 3.3e9},
    {"floki", "floki", "FLOKI", 0.0000291, 9.66e12},
    {"tezos", "xtz", "Tezos", 0.36, 1.08e9},
    {"baby-doge-coin", "babydoge", "Baby Doge Coin", 0.00000000082, 4.2e17},
};

/* What real lists hold and programs trip over. */
static const struct {
    const char *id, *symbol, *name;
} odd[] = {
    {"boringdao-[old]", "bor", "BoringDAO [OLD]"},
    {"1move token", "1mt", "1Move Token"},
    {"hive_dollar", "hbd", "Hive Dollar"},
    {"xbullion_silver", "silv", "xBullion Silver"},
    {"-minus-one", "-1", "-Minus One"},
    {"quoted", "\"q\"", "The \"Quoted\" \\ Slashed / Coin"},
    {"zero-width-stable", "zw", "\xE2\x80\x8B\xE2\x80\x8BStable"},
    {"bi-an-ren-sheng", "\xE5\xB8\x81\xE5\xAE\x89\xE4\xBA\xBA\xE7\x94\x9F",
     "\xE5\xB8\x81\xE5\xAE\x89\xE4\xBA\xBA\xE7\x94\x9F"},
    {"no-symbol", "", "No Symbol"},
    {"kpk-eth-prime", "kpk eth prime", "kpk ETH Prime"},
    {"bitcoin-sign", "\xE2\x82\xBF", "\xE2\x82\xBF Sign"},
    {"istanbul-coin", "i\xCC\x87st", "\xC4\xB0stanbul \xC3\x87o\xC4\x9F\xC5\x9F\xC3\xBC"},
    {"control-freak", "ctl", "Tab\tBell\x07 Newline\n Coin"},
    {"upper-case", "AVAX", "UPPER case"},
    {"bridged-usdc-somewhere", "usdc", "Bridged USDC (Somewhere)"},
    {"bridged-usdc-elsewhere", "usdc.e", "Bridged USDC (Elsewhere)"},
    {"rocket", "\xF0\x9F\x9A\x80", "To the Moon \xF0\x9F\x9A\x80"},
    {"marked-up", "<b>", "<script>alert(1)</script> & Sons"},
    {"sql-injector", "';--", "Robert'); DROP TABLE coins;--"},
    {"a-coin-whose-id-is-as-long-as-the-longest-one-that-was-seen-in-the-list", "long",
     "A Coin With a Long Id"},
};

static const char *const adjectives[] = {
    "Amber",  "Arctic", "Azure",  "Basalt",   "Binary",   "Bold",   "Brave",   "Bright",
    "Calm",   "Cedar",  "Cobalt", "Copper",   "Coral",    "Cosmic", "Crimson", "Crystal",
    "Cyber",  "Dawn",   "Delta",  "Digital",  "Electric", "Ember",  "Fabled",  "First",
    "Frost",  "Gamma",  "Gentle", "Giant",    "Golden",   "Grand",  "Granite", "Green",
    "Hidden", "Hyper",  "Indigo", "Infinite", "Iron",     "Ivory",  "Jade",    "Keen",
    "Lucid",  "Lunar",  "Magic",  "Maple",    "Meta",     "Mighty", "Misty",   "Neon",
    "Noble",  "Nova",   "Omni",   "Open",     "Orbit",    "Polar",  "Prime",   "Quantum",
    "Rapid",  "Royal",  "Silent", "Solid",    "Vivid"};

static const char *const nouns[] = {
    "Anchor", "Arrow",   "Atlas",   "Badger",  "Beacon", "Bison",  "Bridge",  "Cactus",  "Canyon",
    "Castle", "Cat",     "Comet",   "Condor",  "Crab",   "Doge",   "Dragon",  "Eagle",   "Falcon",
    "Fern",   "Forge",   "Fox",     "Frog",    "Galaxy", "Garden", "Gecko",   "Glacier", "Harbor",
    "Heron",  "Horizon", "Inu",     "Island",  "Kite",   "Lake",   "Lantern", "Ledger",  "Lemur",
    "Lion",   "Mango",   "Meadow",  "Mesa",    "Moon",   "Oasis",  "Octopus", "Otter",   "Owl",
    "Panda",  "Pearl",   "Penguin", "Phoenix", "Pixel",  "Raven",  "Reef",    "River",   "Rocket",
    "Saturn", "Shark",   "Summit",  "Tiger",   "Vault"};

static const char *const suffixes[] = {"", " Network", " Protocol", " Finance", " DAO", " AI"};

#define N_MADE (COUNT(adjectives) * COUNT(nouns) * COUNT(suffixes))

static_assert(COUNT(adjectives) == 61 && COUNT(nouns) == 59 && N_MADE >= NAMES_MAX,
              "61 and 59 are primes: STRIDE visits every combination once");
#define STRIDE 7919

static void make_up(uint32_t i, uint64_t seed, struct coin_name *n)
{
    const size_t which = (i * (size_t)STRIDE + seed % N_MADE) % N_MADE;
    const char *adjective = adjectives[which % COUNT(adjectives)];
    const char *noun = nouns[which / COUNT(adjectives) % COUNT(nouns)];
    const char *suffix = suffixes[which / COUNT(adjectives) / COUNT(nouns)];

    snprintf(n->name, NAMES_TEXT, "%s %s%s", adjective, noun, suffix);
    snprintf(n->id, NAMES_TEXT, "%s", n->name);
    snprintf(n->symbol, NAMES_TEXT, "%.2s%.2s", adjective, noun);
    for (char *p = n->id; *p; p++)
        *p = *p == ' ' ? '-' : (char)tolower((unsigned char)*p);
    for (char *p = n->symbol; *p; p++)
        *p = (char)tolower((unsigned char)*p);
}

void names_make(uint32_t i, uint64_t seed, struct coin_name *ret_name)
{
    *ret_name = (struct coin_name){.price = 0, .supply = 0};
    if (i < COUNT(known)) {
        snprintf(ret_name->id, NAMES_TEXT, "%s", known[i].id);
        snprintf(ret_name->symbol, NAMES_TEXT, "%s", known[i].symbol);
        snprintf(ret_name->name, NAMES_TEXT, "%s", known[i].name);
        ret_name->price = known[i].price;
        ret_name->supply = known[i].supply;
    } else if (i < COUNT(known) + COUNT(odd)) {
        i -= (uint32_t)COUNT(known);
        snprintf(ret_name->id, NAMES_TEXT, "%s", odd[i].id);
        snprintf(ret_name->symbol, NAMES_TEXT, "%s", odd[i].symbol);
        snprintf(ret_name->name, NAMES_TEXT, "%s", odd[i].name);
    } else {
        make_up(i, seed, ret_name);
    }
}
