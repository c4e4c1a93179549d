/* SPDX-License-Identifier: Apache-2.0 */
#include "row/market.h"
#include "row/tables.h"

#include "tap.h"

static struct cell num(const char *lexeme)
{
    struct cell c = CELL_NONE;
    if (cell_of_num(str_of(lexeme), &c) != DEC_OK)
        abort();
    return c;
}

static void numbers_are_equal_by_value(void)
{
    static const struct {
        const char *a, *b;
        bool is_equal;
    } rows[] = {
        {"1.50", "15e-1", true},
        {"0", "-0.00", true},
        {"21000000.0", "2.1E7", true},
        {"1", "-1", false},
        {"1e1", "1e2", false},
        {"12345678901234567890123", "12345678901234567890123", true},
        {"12345678901234567890123", "12345678901234567890124", false},
        {"12345678901234567890123", "123456789012345678", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cell a = num(rows[i].a), b = num(rows[i].b);
        CHECK_EQ(cell_equal(&a, &b), rows[i].is_equal);
        CHECK_EQ(cell_equal(&b, &a), rows[i].is_equal);
    }
}

static void cells_are_equal_within_their_kind(void)
{
    struct cell cells[] = {CELL_NONE,
                           num("1"),
                           cell_of_int(1),
                           cell_of_time(1),
                           cell_of_text(STR("1")),
                           cell_of_text(STR("")),
                           cell_of_int(2)};

    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < 7; k++)
            CHECK_EQ(cell_equal(&cells[i], &cells[k]), i == k);
}

static void a_time_or_rank_is_equal_however_it_was_sent(void)
{
    struct cell a = cell_of_time(5), b = a;

    a.text = "1970-01-01T00:00:00.000005Z";
    a.len = 27;
    CHECK(cell_equal(&a, &b));
}

static void a_cell_is_written_as_it_was_sent(void)
{
    struct cell with_lexeme = cell_of_time(1795444200000000), rank = cell_of_int(7);
    with_lexeme.text = "2026-11-23 15:30:00+01:00";
    with_lexeme.len = 25;
    rank.text = "7.0";
    rank.len = 3;
    struct cell own = num("1.50");
    own.text = NULL;
    const struct {
        struct cell cell;
        const char *json, *text;
    } rows[] = {
        {CELL_NONE, "null", ""},
        {num("9.68e-06"), "9.68e-06", "9.68e-06"},
        {own, "1.5", "1.5"},
        {cell_of_int(INT64_MIN), "-9223372036854775808", "-9223372036854775808"},
        {rank, "7.0", "7.0"},
        {cell_of_text(STR("a\"b")), "\"a\\\"b\"", "a\"b"},
        {cell_of_text(STR_NONE), "\"\"", ""},
        {cell_of_time(1795444200000000), "\"2026-11-23T14:30:00.000Z\"",
         "2026-11-23T14:30:00.000Z"},
        {with_lexeme, "\"2026-11-23 15:30:00+01:00\"", "2026-11-23 15:30:00+01:00"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(100);
        cell_add_json(&b, &rows[i].cell);
        CHECK_STR(buf_str(&b), rows[i].json);
        buf_clear(&b);
        cell_add_text(&b, &rows[i].cell);
        CHECK_STR(buf_str(&b), rows[i].text);
        buf_release(&b);
    }
}

static void a_number_that_is_none_makes_no_cell(void)
{
    struct cell c = CELL_NONE;

    CHECK_EQ(cell_of_num(STR("x"), &c), DEC_NOT_A_NUMBER);
    CHECK_EQ(cell_of_num(STR("1e9999"), &c), DEC_OUT_OF_RANGE);
    CHECK_EQ(c.kind, CELL_NULL);
}

static void every_column_is_found_by_its_name(void)
{
    for (size_t at = 0; at < N_ROW_TABLES; at++)
        for (size_t i = 0; i < row_tables[at]->n_columns; i++) {
            const struct column *c = &row_tables[at]->columns[i];
            CHECK_EQ(table_find(row_tables[at], str_of(c->name)), i);
            CHECK(c->json_key == NULL || strcmp(c->json_key, c->name) == 0);
            CHECK_EQ(strspn(c->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(c->name));
            CHECK(c->kind != CELL_NULL);
            CHECK(c->help[0] != '\0');
        }
    CHECK_EQ(table_find(&market_table, STR("")), N_MARKET_COLUMNS);
    CHECK_EQ(table_find(&market_table, STR("id ")), N_MARKET_COLUMNS);
}

static void every_table_begins_with_its_key_and_what_names_it(void)
{
    for (size_t at = 0; at < N_ROW_TABLES; at++) {
        const struct table *t = row_tables[at];
        CHECK_EQ(row_table_of(t->endpoint), at);
        CHECK_Z(t->columns[ROW_ID].name, t->latest ? "id" : "at");
        CHECK(t->columns[ROW_ID].is_not_null);
        CHECK_EQ(t->columns[ROW_ID].kind, t->latest ? CELL_TEXT : CELL_TIME);
        CHECK_Z(t->columns[t->first_stored].name, "fetched_at");
        CHECK(t->columns[t->first_stored].is_not_null);
        CHECK_EQ(t->first_stored, t->is_of_coins ? 3 + table_has_image(t) : 1);
        if (t->is_of_coins) {
            CHECK_Z(t->columns[ROW_SYMBOL].name, "symbol");
            CHECK_Z(t->columns[ROW_NAME].name, "name");
            CHECK(t->whole_us > 0);
        }
        if (table_has_image(t))
            CHECK_Z(t->columns[ROW_IMAGE].name, "image");
        CHECK(t->latest == NULL || strcmp(t->name, t->latest) != 0);
        CHECK(t->coin_column == 0 || strcmp(t->columns[t->coin_column].name, "coin") == 0);
    }
    CHECK_EQ(row_table_of("coins/categories"), N_ROW_TABLES);
    CHECK_EQ(row_table_of(""), N_ROW_TABLES);
}

TAP_MAIN(TAP_CASE(numbers_are_equal_by_value), TAP_CASE(cells_are_equal_within_their_kind),
         TAP_CASE(a_time_or_rank_is_equal_however_it_was_sent),
         TAP_CASE(a_cell_is_written_as_it_was_sent), TAP_CASE(a_number_that_is_none_makes_no_cell),
         TAP_CASE(every_column_is_found_by_its_name),
         TAP_CASE(every_table_begins_with_its_key_and_what_names_it))
