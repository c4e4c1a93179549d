/* SPDX-License-Identifier: Apache-2.0 */
#include "load/alerts/see.h"

#include "base/http_client.h"
#include "load/sink.h"
#include "row/market.h"
#include "transform/coins.h"

#include <stdio.h>

/* The coin's row, NULL when there is none. */
static const struct cell *find_row(const struct alerts_poll *poll, const char *coin)
{
    const struct poll_rows *rows = poll->rows;
    uint32_t row;

    if (rows == NULL || rows->rows.table != &market_table || rows->coins == NULL ||
        !coins_find(rows->coins, str_of(coin), &row) || row == COINS_NO_ROW)
        return NULL;
    return rows_at(&rows->rows, row);
}

static bool see_value(const struct cell *cell, struct dec *ret_value)
{
    if (cell->kind == CELL_NUM)
        *ret_value = cell_dec(cell);
    else if (cell->kind == CELL_INT)
        *ret_value = dec_of(cell->number);
    return cell->kind == CELL_NUM || cell->kind == CELL_INT;
}

/* A poll that failed as the clock was wrong (extract/request.c, poll.c): none of its times is one.
 */
static bool is_of_wrong_clock(const struct tape_record *end)
{
    struct str rest = end->error, page;

    if (str_starts(rest, STR("page ")))
        str_cut(&rest, ':', &page);
    return end->outcome == POLL_FAILED && str_starts(str_trim(rest), STR("clock: "));
}

bool alerts_see(const struct alert_rule *rule, const struct alerts_poll *poll,
                struct alert_seen *ret_seen)
{
    struct alert_seen seen = {.at_us = poll->end->fetched_at_us};
    const struct cell *row = rule->coin[0] ? find_row(poll, rule->coin) : NULL;

    if (poll->end->outcome == POLL_ABORTED || /* its end was written by who came after */
        is_of_wrong_clock(poll->end))
        return false;
    if (row)
        seen.at_us = row[MARKET_FETCHED_AT].number;
    switch (rule->kind) {
    case ALERT_VALUE:
    case ALERT_CHANGE:
        seen.has_value = row && see_value(&row[rule->column], &seen.value);
        break;
    case ALERT_STALE:
        if (row && row[MARKET_LAST_UPDATED].kind == CELL_TIME)
            seen.updated_us = row[MARKET_LAST_UPDATED].number;
        break;
    case ALERT_GAP:
        seen.slot_us = poll->end->slot_us;
        seen.next_due_us = poll->end->next_due_us;
        break;
    case ALERT_BUDGET:
        seen.has_value = poll->budget > 0;
        seen.budget = poll->budget;
        seen.value = dec_of(poll->spent < poll->budget ? poll->budget - poll->spent : 0);
        break;
    }
    *ret_seen = seen;
    return true;
}

/* FNV-1a, 32 bit: what tells the rules of one poll apart. */
static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

void alerts_fact(const struct alert *alert, const struct alerts_poll *poll,
                 const struct alert_event *event, struct alert_fact *ret_fact)
{
    struct alert_fact fact = {.is_simulated = poll->is_simulated};
    const struct column *column = &market_table.columns[alert->rule.column];
    char uuid[SINK_UUID_TEXT];

    if (poll->n_pages > 0)
        fact.is_simulated |=
            http_answer_header(poll->pages[0].record.headers, "x-simulated").p != NULL;
    sink_uuid_text(poll->stream, uuid);
    snprintf(fact.id, sizeof(fact.id), "%.8s-%llu-%08x", uuid,
             (unsigned long long)poll->end->offset, (unsigned)hash_of(alert->key));
    snprintf(fact.job, sizeof(fact.job), "%s", poll->stream->job);
    if (strcmp(column->unit, "vs_currency") == 0 && alert->rule.coin[0])
        snprintf(fact.currency, sizeof(fact.currency), "%.15s", poll->stream->vs_currency);
    alert_fact_say(&alert->rule, event, poll->budget, &fact);
    *ret_fact = fact;
}
