// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { fieldsOf, findCoin } from '../src/lib/record';
import { changeOver, extentOf, fittingRange, prepare, rangeStart, readCandles, spanWords, spread, volumesAt, type Series } from '../src/pages/coin/series';

type Row = [number, number | null, number | null];

const series = (rows: Row[], gaps: [number, number][] = []): Series =>
  ({ id: 'a', from: 0, until: 60000, columns: ['t', 'price', 'market_cap', 'total_volume'], points: rows.map(([t, price, volume]) => [t, price, 5, volume]), gaps });

const minutes = (...list: number[]): Row[] => list.map((minute) => [minute * 60000, minute, 1]);

export function points_are_in_order_and_each_second_is_once(): void {
  const { points, gaps } = prepare(series([[2500, 2, null], [1000, 1, 7], [2900, 3, null]]));
  assert.deepEqual(points, [{ time: 1, price: 1, volume: 7 }, { time: 2, price: 3, volume: null }]);
  assert.deepEqual(gaps, []);
}

export function a_gap_stays_a_gap_as_wide_as_it_was(): void {
  const { points, gaps } = prepare(series(minutes(0, 1, 2, 3, 13, 14)));
  assert.deepEqual(gaps, [{ from: 180, to: 780 }]);
  assert.equal(points.filter((point) => point.price === null).length, 9);
  assert.deepEqual(points.map((point) => point.time), [...points.map((point) => point.time)].sort((a, b) => a - b));
}

export function a_gap_that_the_server_knows_of_breaks_the_line_if_it_is_as_long_as_a_step(): void {
  const { gaps } = prepare(series(minutes(0, 1, 2, 3), [[70000, 130000], [170000, 171000]]));
  assert.deepEqual(gaps, [{ from: 60, to: 180 }].flatMap(({ from, to }) => [{ from, to: from + 60 }, { from: from + 60, to }]));
}

export function a_year_of_nothing_makes_no_million_points(): void {
  const { points } = prepare(series(minutes(0, 1, 2, 525600)));
  assert.ok(points.length < 2000);
  assert.deepEqual(prepare(series([])), { points: [], gaps: [] });
}

export function a_change_is_said_of_the_time_that_is_known(): void {
  const { points } = prepare(series(minutes(0, 1, 2)));
  assert.equal(spanWords(points, '1h'), 'in 2 min');
  assert.equal(spanWords(prepare(series(minutes(0, 30, 58))).points, '1h'), 'in 1h');
  assert.equal(spanWords(points, 'all'), 'in all');
}

export function the_first_range_is_one_that_has_something(): void {
  const [hour, day, now] = [3600000, 86400000, Date.UTC(2026, 10, 29)];
  assert.equal(fittingRange(null, now), '1h', 'what comes is seen at once');
  assert.equal(fittingRange([now - 60000, now], now), '1h');
  assert.equal(fittingRange([now - 2 * hour, now - 60000], now), '24h');
  assert.equal(fittingRange([now - 300 * day, now], now), '24h');
  assert.equal(fittingRange([now - 300 * day, now - 3 * day], now), '7d', 'nothing for three days');
  assert.equal(fittingRange([now - 3000 * day, now - 1000 * day], now), 'all');
  assert.deepEqual(extentOf(series(minutes(1, 2, 5))), [60000, 300000]);
  assert.equal(extentOf(series([])), null);
  assert.equal(rangeStart('all', now), null, 'the server knows');
}

export function candles_that_are_none_are_left_out(): void {
  const candles = readCandles([[60000, 1, 2, 0.5, 1.5], [0, 1, 2, 0.5, 1.5], [NaN, 1, 1, 1, 1]]);
  assert.deepEqual(candles.map(({ time }) => time), [0, 60]);
  const gap = readCandles([0, 1, 2, 9].map((i) => [i * 60000, 1, 1, 1, 1]));
  assert.equal(spread(gap).length, 10);
}

export function a_candle_has_the_volume_known_when_it_closes(): void {
  const candles = readCandles([[60000, 1, 1, 1, 1], [120000, 1, 1, 1, 1], [600000, 1, 1, 1, 1]]);
  const points = [{ time: 30, price: 1, volume: 5 }, { time: 120, price: 1, volume: 6 }];
  assert.deepEqual(volumesAt(candles, points), [5, 6, null]);
}

export function change_is_from_the_first_known_price_to_the_last(): void {
  const { points } = prepare(series([[0, null, null], [1000, 2, null], [2000, 3, null]]));
  assert.equal(changeOver(points), 50);
  assert.equal(changeOver([]), null);
}

const BODY = '[{"id":"bitcoin","symbol":"btc","name":"B \\"id\\":\\"ethereum\\", {x","roi":null,"ath":1.0453287998377596e37},'
  + '{"id":"ethereum","roi":{"times":30.50,"currency":"btc"},"current_price":1788.790,"list":[1, 2]}]';

export function a_coin_is_found_in_the_bytes_as_they_were_sent(): void {
  assert.equal(findCoin(BODY, 'ethereum'), '{"id":"ethereum","roi":{"times":30.50,"currency":"btc"},"current_price":1788.790,"list":[1, 2]}');
  assert.match(findCoin(BODY, 'bitcoin'), /^\{"id":"bitcoin".*e37\}$/);
  assert.equal(findCoin(BODY, 'eth'), '');
  assert.equal(findCoin('<html>"id":"eth"', 'eth'), '');
  assert.equal(findCoin('[{"id":"eth"', 'eth'), '', 'torn');
}

export function every_digit_of_a_field_is_kept(): void {
  assert.deepEqual(fieldsOf(findCoin(BODY, 'ethereum')), [
    ['id', '"ethereum"'], ['roi', '{"times":30.50,"currency":"btc"}'], ['current_price', '1788.790'], ['list', '[1, 2]'],
  ]);
  assert.deepEqual(fieldsOf('{"a":"x, \\"y\\"","b":-1e-9}'), [['a', '"x, \\"y\\""'], ['b', '-1e-9']]);
  assert.deepEqual(fieldsOf('{}'), []);
}
