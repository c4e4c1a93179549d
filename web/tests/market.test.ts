// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { follow, readCoins, type Coin } from '../src/data/coin';
import { readParts, SheetReader } from '../src/data/sheet';
import { hoursKnown } from '../src/data/sparks';
import { filterCoins, nextSort, readAmount, readFilter, readSort, sortCoins, writeSort } from '../src/pages/market/choose';
import { makeCsv } from '../src/pages/market/csv';
import { marketChange, movers } from '../src/pages/market/overview';
import { strength } from '../src/pages/market/map';
import { treemap } from '../src/pages/market/treemap';
import { rowsBetween } from '../src/pages/market/window';
import { sparkPath } from '../src/ui/spark';

const NOW = Date.UTC(2026, 10, 23);

// A row as the server sends it, of what is given.
function coin(id: string, fields: Record<string, string | number | null> = {}): Coin {
  const row = { id, symbol: id.slice(0, 3), name: id, last_updated: NOW, ...fields };
  return readCoins({ columns: Object.keys(row), rows: [Object.values(row)] })[0]!;
}

const ids = (coins: readonly Coin[]): string => coins.map(({ id }) => id).join(' ');
const NONE: ReadonlySet<string> = new Set();

export function a_row_is_read_by_the_names_of_columns_in_any_order(): void {
  const [first] = readCoins({ columns: ['current_price', 'id', 'new_one', 'name', 'symbol', 'last_updated'], rows: [[1.5, 'x', 'what', 'X', 'xx', '2026-11-23T00:00:00.000Z']] });
  assert.deepEqual([first!.id, first!.price, first!.updatedAt, first!.cap], ['x', 1.5, NOW, null]);
}

export function a_price_that_moves_is_followed(): void {
  const before = follow(coin('x', { current_price: 1 }), undefined);
  assert.deepEqual([before.moves, before.trail], [0, []]);
  const up = follow(coin('x', { current_price: 2 }), before);
  const same = follow(coin('x', { current_price: 2 }), up);
  const gone = follow(coin('x', { current_price: null }), same);
  assert.deepEqual([up.moved, up.moves, up.trail], ['up', 1, [1, 2]]);
  assert.deepEqual([same.moved, same.moves, same.trail], ['up', 1, [1, 2]]);
  assert.deepEqual([gone.price, gone.moves], [null, 1]);
}

export function sorting_puts_what_is_not_known_last_either_way(): void {
  const coins = [coin('a', { market_cap: 1 }), coin('b'), coin('c', { market_cap: 3 })];
  assert.equal(ids(sortCoins(coins, { key: 'cap', isDown: true })), 'c a b');
  assert.equal(ids(sortCoins(coins, { key: 'cap', isDown: false })), 'a c b');
}

export function a_sort_stands_in_the_address_unless_it_is_the_usual_one(): void {
  for (const text of ['', '-cap', 'cap', 'name', '-rank']) assert.equal(writeSort(readSort(text)), text);
  assert.deepEqual(readSort('-toString'), { key: 'rank', isDown: false });
  assert.deepEqual(nextSort(readSort(''), 'cap'), { key: 'cap', isDown: true });
  assert.deepEqual(nextSort(readSort('-cap'), 'cap'), { key: 'cap', isDown: false });
}

export function filters_read_amounts_as_people_write_them(): void {
  assert.equal(readAmount('1.5b'), 1.5e9);
  assert.equal(readAmount(' 1,000 '), 1000);
  for (const text of ['', 'b', '1x', '-1', '1e3', '.']) assert.ok(Number.isNaN(readAmount(text)), text);
}

export function a_filter_keeps_what_is_wanted(): void {
  const coins = [
    coin('bitcoin', { market_cap: 1e12, total_volume: 1e10, price_change_percentage_24h: 2 }),
    coin('tiny', { market_cap: 1e3, price_change_percentage_24h: -9, last_updated: NOW - 3600000 }),
    coin('unknown'),
  ];
  const kept = (query: Record<string, string>, starred = NONE): string => ids(filterCoins(coins, readFilter(query), starred, NOW));
  assert.equal(kept({}), 'bitcoin tiny unknown');
  assert.equal(kept({ q: 'BIT' }), 'bitcoin');
  assert.equal(kept({ only: 'down' }), 'tiny');
  assert.equal(kept({ only: 'stale' }), 'tiny');
  assert.equal(kept({ only: 'starred' }, new Set(['unknown'])), 'unknown');
  assert.equal(kept({ cap: '1m' }), 'bitcoin');
  assert.equal(kept({ change: '5' }), 'tiny');
  assert.equal(kept({ only: 'nonsense', cap: 'nonsense' }), 'bitcoin tiny unknown');
}

export function csv_quotes_what_needs_it_and_begins_no_formula(): void {
  const csv = makeCsv([coin('x', { name: 'a "b", c', symbol: '=1+1', current_price: 1e-9 })], 'usd');
  const [head, line, end] = csv.split('\r\n');
  assert.match(head!, /^market_cap_rank,id,symbol,name,current_price,.*,vs_currency$/);
  assert.equal(line, `,x,'=1+1,"a ""b"", c",1e-9,,,,,,,2026-11-23T00:00:00Z,,usd`);
  assert.equal(end, '');
}

export function the_market_moves_by_what_its_coins_were_worth_a_day_ago(): void {
  const coins = [coin('a', { market_cap: 110, price_change_percentage_24h: 10 }), coin('b', { market_cap: 100, price_change_percentage_24h: 0 }), coin('c', { market_cap: 5 })];
  assert.equal(marketChange(coins)!.toFixed(6), '5.000000');
  assert.equal(marketChange([]), null);
}

export function coins_that_nobody_trades_lead_nothing(): void {
  const coins = [
    coin('up', { price_change_percentage_24h: 5, total_volume: 1e6 }), coin('dead', { price_change_percentage_24h: 900, total_volume: 1 }),
    coin('down', { price_change_percentage_24h: -5, total_volume: 1e6 }), coin('still', { price_change_percentage_24h: 0, total_volume: 1e6 }),
  ];
  const { up, down } = movers(coins, 3);
  assert.equal(`${ids(up)} / ${ids(down)}`, 'up / down');
}

export function only_rows_in_sight_are_drawn(): void {
  assert.deepEqual(rowsBetween(0, 520, 52, 17000), { first: 0, end: 18 });
  assert.deepEqual(rowsBetween(52000, 52520, 52, 17000), { first: 992, end: 1018 });
  assert.deepEqual(rowsBetween(52 * 17000, 52 * 17010, 52, 17000), { first: 16992, end: 17000 });
  assert.deepEqual(rowsBetween(52000, 52520, 52, 3), { first: 2, end: 3 }, 'scrolled beyond what a filter left');
  assert.deepEqual(rowsBetween(0, 520, 52, 0), { first: 0, end: 0 });
}

export function a_line_goes_through_what_is_known_where_it_was(): void {
  assert.equal(sparkPath([null, 1, null, 3, null], 100, 32), 'M25.0 30.0L75.0 2.0');
  assert.equal(sparkPath([null, 1, null], 100, 32), '');
}

export function a_week_is_as_long_as_the_coin_known_longest(): void {
  const kept = (...prices: (number | null)[]) => ({ prices, askedAt: 0 });
  assert.equal(hoursKnown([kept(null, null, 1, 2), kept(null, 5, null, null), kept()]), 3);
  assert.equal(hoursKnown([kept(null, null)]), 0);
}

export function a_line_needs_two_points_and_stays_in_its_box(): void {
  assert.equal(sparkPath([]), '');
  assert.equal(sparkPath([1]), '');
  assert.equal(sparkPath([5, 5], 100, 30), 'M0.0 15.0L100.0 15.0');
  assert.equal(sparkPath([0, 1], 100, 30), 'M0.0 28.0L100.0 2.0');
}

export function a_map_fills_its_box_by_size_and_overlaps_nowhere(): void {
  const sizes = [50, 20, 10, 10, 5, 3, 1, 1];
  const boxes = treemap(sizes, 400, 250);
  assert.equal(boxes.length, sizes.length);
  boxes.forEach((box, i) => {
    assert.ok(Math.abs(box.width * box.height - (sizes[i]! / 100) * 100000) < 1e-6);
    assert.ok(box.x >= -1e-9 && box.y >= -1e-9 && box.x + box.width <= 400 + 1e-9 && box.y + box.height <= 250 + 1e-9);
    for (const other of boxes.slice(0, i)) {
      const isApart = other.x + other.width <= box.x + 1e-9 || box.x + box.width <= other.x + 1e-9 || other.y + other.height <= box.y + 1e-9 || box.y + box.height <= other.y + 1e-9;
      assert.ok(isApart);
    }
  });
  assert.deepEqual(treemap([], 400, 250), []);
  assert.deepEqual(treemap([1], 0, 250), []);
  assert.deepEqual([strength(null), strength(0), strength(-4), strength(900)], [0, 0, 26, 52]);
}

const SHEET = '{"vs_currency":"usd","time":5,"columns":["id","name","current_price"],"rows":[\n["a","]}\\n,[é",1.50],\n["b","B",null]]}\n';

export function rows_are_read_as_they_come_wherever_the_answer_is_cut(): void {
  for (let cut = 0; cut <= SHEET.length; cut += 1) {
    const reader = new SheetReader();
    const sheets = [...reader.read(SHEET.slice(0, cut)), ...reader.read(SHEET.slice(cut))];
    assert.deepEqual(sheets.flatMap(({ rows }) => rows), [['a', ']}\n,[é', 1.5], ['b', 'B', null]], `cut at ${cut}`);
    assert.ok(sheets.every(({ columns }) => columns.join() === 'id,name,current_price'));
  }
  assert.deepEqual([...new SheetReader().read('{"vs_currency":"usd","time":0,"columns":["id"],"rows":[]}\n')], []);
}

export function a_long_answer_is_read_in_parts(): void {
  const rows = Array.from({ length: 5000 }, (_, i) => `["coin-${i}","a name",${i}]`);
  const sheets = [...new SheetReader().read(`{"columns":["id","name","current_price"],"rows":[\n${rows.join(',\n')}]}\n`)];
  assert.ok(sheets.length > 3);
  assert.deepEqual(sheets.flatMap((sheet) => readCoins(sheet)).map(({ price }) => price), rows.map((_, i) => i));
}

export async function a_long_event_leaves_turns_to_others(): Promise<void> {
  Object.assign(globalThis, { document: { hidden: false } });
  const rows = Array.from({ length: 1100 }, (_, i) => [`coin-${i}`]);
  const parts: number[] = [];
  let turns = 0;
  const others = setInterval(() => { turns += 1; });
  const made = await readParts({ columns: ['id'], rows }, (sheet) => {
    for (const began = performance.now(); performance.now() - began < 12;); // longer than a task may take
    parts.push(sheet.rows.length);
    return readCoins(sheet);
  });
  clearInterval(others);
  assert.deepEqual(made.map(({ id }) => [id]), rows);
  assert.ok(parts.length > 3 && turns > 1, `${parts.length} parts, ${turns} turns`);
}

export function what_the_table_does_not_show_is_kept_until_it_is_asked_for(): void {
  const full = coin('x', { high_24h: 3, ath: 9 });
  const next = follow(coin('x', { current_price: 2 }), full);
  assert.deepEqual([full.isFull, next.isFull, next.high, next.ath], [true, false, 3, 9]);
  assert.equal(follow(coin('x', { high_24h: null }), full).high, null);
}
