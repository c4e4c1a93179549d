// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { amount, bytes, direction, duration, moment, percent, perSecond, plain, price, span, timestamp } from '../src/lib/format';
import { formatRoute, parseRoute } from '../src/lib/route';

export function price_is_read_at_a_glance_whatever_its_size(): void {
  assert.equal(price(57780, 'usd'), '$57,780.00');
  assert.equal(price(0.0123456, 'eur'), '€0.012346');
  assert.equal(price(0.00000000123, 'usd'), '$0.0₈123');
  assert.equal(price(-0.00005, 'usd'), '$-0.0₄5');
  assert.equal(price(0, 'usd'), '$0.00');
  assert.equal(price(1.5, 'sats'), 'SATS 1.50');
  assert.equal(plain(2.5e12), '2.50T');
}

export function nothing_known_is_a_dash_and_no_zero(): void {
  for (const value of [null, undefined, NaN]) {
    assert.equal(price(value, 'usd'), '–');
    assert.equal(amount(value, 'usd'), '–');
    assert.equal(percent(value), '–');
    assert.equal(bytes(value), '–');
    assert.equal(direction(value), '');
  }
  assert.equal(direction(0), '');
  assert.equal(moment(NaN), '–');
  assert.equal(timestamp(NaN), '');
}

export function percentages_stay_short_when_they_are_absurd(): void {
  assert.equal(percent(-3.456), '3.46%');
  assert.equal(percent(123.456), '123.5%');
  assert.equal(percent(1.0453287998377596e37), `${new Intl.NumberFormat('en', { notation: 'compact', minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(1.0453287998377596e37)}%`);
}

export function spans_have_two_units_at_most(): void {
  assert.equal(duration(59400), '59 s');
  assert.equal(duration(3600000), '1 h');
  assert.equal(span(3900000), '1 h 5 min');
  assert.equal(span(86400000 * 2 + 1000), '2 d');
  assert.equal(span(0), '0 s');
  assert.equal(perSecond(0.05), '0.05/s');
  assert.equal(perSecond(12345), '12.3K/s');
  assert.equal(timestamp(Date.UTC(2026, 10, 23, 14, 30)), '2026-11-23T14:30:00Z');
}

export function an_address_says_all_and_comes_back_as_it_was(): void {
  for (const hash of ['#/market', '#/coin/bitcoin?vs_currency=eur&at=2026-11-23T14:30:00Z', '#/market?q=a+b&sort=-cap', '#/coin/a%2Fb', '#/pipeline?job=top']) {
    assert.equal(formatRoute(parseRoute(hash)), hash);
  }
}

export function an_address_that_means_nothing_shows_the_market(): void {
  for (const hash of ['', '#', '#/', '#/nowhere', '#/coin', '#/coin/', '#market']) assert.equal(parseRoute(hash).page, 'market', hash);
  assert.equal(parseRoute('#/coin/%E0%A4%A').id, '%E0%A4%A');
}
