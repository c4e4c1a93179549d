/* SPDX-License-Identifier: Apache-2.0 */
#include "docgen.h"

#include "base/metric.h"
#include "sim/fault.h"
#include "sim/plan.h"
#include "transform/drift.h"
#include "transform/quality.h"

#include <stdio.h>

#define SPECIALS "\\*<[|" /* what Markdown would take for its own */

static void file_key(const struct opt_def *def)
{
    struct str rest = str_of(def->path ? def->path : ""), section;

    if (text_is_of_job(def))
        printf(", in the file `%s` of a job", def->path ? def->path : def->name);
    else if (def->path && strchr(def->path, '.') && str_cut(&rest, '.', &section))
        printf(", in the file `%.*s` below `%.*s`", STR_ARG(rest), STR_ARG(section));
    else if (def->path)
        printf(", in the file `%s`", def->path);
}

static void option(const struct opt_def *def)
{
    const char *metavar = text_metavar(def);

    printf("\n### --%s\n\n", def->name);
    text_sentence(def->help, SPECIALS);
    printf("\n\n- `--%s%s%s`, `", def->name, metavar ? " " : "", metavar ? metavar : "");
    text_variable(def);
    printf("`");
    file_key(def);
    printf("\n");
    if (text_has_values(def)) {
        printf("- Values: ");
        text_values(def);
        printf("\n");
    }
    if (text_has_default(def))
        printf("- Default: `%s`\n", def->fallback);
    printf("- Of ");
    text_verbs(def, "`");
    printf("\n");
    if (def->is_reloadable)
        printf("- A change in the file is taken over at SIGHUP\n");
    if (def->is_secret) {
        printf("- A secret: shown as `***`; also the first line of the file that `");
        text_variable(def);
        printf("_FILE` names\n");
    }
}

void markdown_options(void)
{
    printf("# Options\n\n"
           "Made of the option table by `make docs`; edit `src/config/` instead.\n\n"
           "An option is a flag, an environment variable, a line of `.env` in the working "
           "directory, or a key in the\n"
           "configuration file (`--config`, else `./geckotape.yaml`, else "
           "`/etc/geckotape/geckotape.yaml`); the first of these\n"
           "that has it wins. `geckotape check` shows the value and the origin of each. Durations "
           "are `30s`, `5m`, `1h`, `7d`.\n");
    for (size_t i = 0; i < n_config_options; i++) {
        if (i == 0)
            printf("\n## Of a job: what to fetch and when\n");
        if (i == n_config_job_options)
            printf("\n## Of the program\n");
        option(&config_options[i]);
    }
}

void markdown_metrics(void)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct str name, unit;

    printf("# Metrics\n\n"
           "Made of the table in `src/base/metric.h` by `make docs`. They are served as "
           "`/metrics` in Prometheus' text format.\n"
           "A series appears at its first use. Names end in their unit; `_total` counts since the "
           "start of the process.\n\n"
           "| name | kind | unit | labels | what |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_METRICS; i++) {
        const struct metric_def *def = &metric_defs[i];
        name = str_of(def->name);
        unit = STR("");
        if (strstr(def->name, "_seconds"))
            unit = STR("seconds");
        else if (strstr(def->name, "_bytes"))
            unit = STR("bytes");
        printf("| `%.*s` | %s | %.*s | %s | ", STR_ARG(name), kinds[def->kind], STR_ARG(unit),
               def->labels);
        text_escaped(str_of(def->help), SPECIALS);
        printf(" |\n");
    }
}

void markdown_quality(void)
{
    printf(
        "# What the API changes, and what it gets wrong\n\n"
        "Made of the tables in `src/transform/drift.h` and `quality.h` by `make docs`. Why it is "
        "so: [0022](design/0022-drift-and-quality.md).\n\n"
        "## Drift: answers are not as they were known to be\n\n"
        "Each poll's is in `poll.drift`, one line: `missing: ath; new: a, b`. States are told of "
        "every poll that has them, events of the poll that\n"
        "differs from the one before. `geckotape tape drift` dates all of them over your tape; "
        "the log says when one begins and when it is over,\n"
        "`/readyz` and `status` show it while it lasts, `geckotape_drift_total` counts.\n\n"
        "| kind | is | told as |\n|---|---|---|\n");
    for (size_t i = 0; i < N_DRIFT_KINDS; i++) {
        printf("| `%s` | ", drift_kinds[i].name);
        text_escaped(str_of(drift_kinds[i].help), SPECIALS);
        printf(" | %s |\n", drift_kinds[i].is_event ? "event" : "state");
    }
    printf("\nFields that come on request only, as `sparkline`, are compared with the poll before: "
           "of them `new` and `missing` are events.\n");
    printf("\n## Flags: values that are well-formed and hardly true\n\n"
           "The row stays as it came; `quality_flag` and the view `quality` name it by rule, with "
           "the values, and `geckotape_quality_flags_total` counts.\n"
           "What a row breaks against the row before is told each time; what it breaks by itself "
           "when that begins, and in the first poll of each hour.\n"
           "To leave such rows out: `SELECT ... FROM market m WHERE NOT EXISTS (SELECT 1 FROM "
           "quality_flag f WHERE f.job_id = m.job_id\n"
           "AND f.slot = m.slot AND f.coin_id = m.coin_id AND f.rule = 'cap_mismatch')`.\n\n"
           "The limits were chosen so that they flag little of real answers: 1550 rows of 15 "
           "captures, 2023-01 to 2026-04.\n\n"
           "| rule | flags | of real answers |\n|---|---|---|\n");
    for (size_t i = 0; i < N_QUALITY_RULES; i++) {
        printf("| `%s` | ", quality_rules[i].name);
        text_escaped(str_of(quality_rules[i].help), SPECIALS);
        printf(" | ");
        text_escaped(str_of(quality_rules[i].measured), SPECIALS);
        printf(" |\n");
    }
}

static void simulated_plan(const struct sim_plan *plan)
{
    const struct api_v3_plan *api = &plan->api;

    printf("| `%s` | %s | %u | ", api->name, api->host == HOST_PRO ? "Pro" : "public",
           api->calls_per_minute);
    if (api->credits_per_month > 0)
        printf("%llu", (unsigned long long)api->credits_per_month);
    else
        printf("-");
    printf(" | %s |\n", plan->source);
}

void markdown_simulator(void)
{
    printf(
        "# The simulator\n\n"
        "Made of the tables in `src/sim/` by `make docs`.\n\n"
        "`geckotape simulate` serves a market that never was the way CoinGecko serves the real "
        "one, and misbehaves as it does.\n"
        "Every answer has the header `X-Simulated: geckotape`, and a collector marks what it makes "
        "of them for ever.\n\n"
        "## A tape in place of a market\n\n"
        "`geckotape simulate --from tape:DIR [--at TIME] [--speed N]` plays a data directory's "
        "tape again: at each moment the answers are those that the tape\n"
        "knew by then, digit for digit, and nothing later. The moment begins with `--at` (default: "
        "the first poll), moves N times as fast as the clock, and\n"
        "stands in the header `X-Simulated-Time`; `Date` stays the clock's. At its end the last "
        "state stays; a tape that is still written goes on.\n"
        "What was collected can be asked for: markets, prices, the list of coins, currencies; all "
        "else is answered with 501. Plans and faults work as ever,\n"
        "but for `aged`, and answers are always fresh, as the tape's already have an age. Coins "
        "that had left before the last whole poll at the beginning are\n"
        "not known.\n\n"
        "## Plans\n\n"
        "`--plan NAME` serves as CoinGecko serves an account on that plan:\n\n"
        "- Keys in the header (`x-cg-demo-api-key`, `x-cg-pro-api-key`) or in the query "
        "(`x_cg_demo_api_key`, `x_cg_pro_api_key`). Every key is good that\n"
        "  begins with `CG-`, but for those that begin with `CG-invalid`; others get 401 with "
        "10002, and so does a Pro host asked without one. A key of the\n"
        "  other host gets 400 with 10010 or 10011. Other names, like `x_cg_api_key`, are not "
        "looked at; who has no key on the public host is served\n"
        "  at the keyless pace.\n"
        "- Every answer counts to the minute, those of status 200 cost a credit; `--limit` and "
        "`--credits` set other numbers. A spent account gets 429\n"
        "  without `Retry-After` until the month (UTC) is over.\n"
        "- What paid plans have to themselves, and history behind the plan's wall, is refused in "
        "CoinGecko's words.\n"
        "- Answers come from a cache: `Age`, `CF-Cache-Status`, and new data on each endpoint's "
        "period (`/coins/markets` 60 s on the public host, 45 s on the Pro host).\n\n"
        "Without a plan all is allowed and every answer is fresh. `ETag`, `If-None-Match` and "
        "`Cache-Control` work always.\n\n"
        "| plan | host | calls a minute | credits a month | source |\n|---|---|---|---|---|\n");
    for (size_t i = 1; i < n_sim_plans; i++)
        simulated_plan(&sim_plans[i]);
    printf("\n## Faults\n\n"
           "`--fault NAME[:every=N][,from=N][,until=N][,rate=0.2][,after=10s][,for=30s]`, up to %d "
           "of them:\n\n"
           "- `every=3`: each third request to the API; `from=10,until=20`: requests 10 to 19, "
           "counted from 0\n"
           "- `rate=0.2`: a fifth of them by lot; the same `--seed` gives the same lots\n"
           "- `after=10s,for=30s`: for 30 s, from 10 s after the start on\n\n"
           "What is due at once adds up; of answers in place of data the first is given.\n\n"
           "| name | what comes |\n|---|---|\n",
           SIM_MAX_FAULTS);
    for (size_t i = 0; i < n_fault_kinds; i++) {
        printf("| `%s` | ", fault_kinds[i].name);
        text_escaped(str_of(fault_kinds[i].help), SPECIALS);
        printf(" |\n");
    }
}
