// SPDX-License-Identifier: Apache-2.0
// Every page, in Debian's Chromium, against a collector on the simulator: TAP.
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { jumps, launch, open, overflow, violations } from './browser.mjs';
import { makeCollector, makeServer, TOKEN } from './collector.mjs';
import { runCases } from './tap.mjs';

const JOBS = '  top:\n    top: 250\n    every: 1s\n  eur:\n    top: 20\n    vs: eur\n    every: 5s';
const COINS = 250;
const collector = await makeCollector(JOBS, ['--coins', '1000', '--speed', '20', '--fault', '503:every=7,from=5', '--fault', 'retyped:from=3,until=6', '--fault', 'badquote:from=7,until=9']);
const browser = await launch();

const at = (hash) => `${collector.url}#/${hash}`;

async function market(hash = 'market', options = {}) {
  const opened = await open(browser, at(hash), options);
  await opened.page.waitForSelector('table.market tr[data-i]');
  return opened;
}

const texts = (page, selector) => page.$$eval(selector, (nodes) => nodes.map((node) => node.textContent.trim()));

// ---- market ----

async function market_draws_rows_in_sight_and_reaches_the_last() {
  const { page, check, close } = await market();
  assert.equal(await page.getAttribute('table.market', 'aria-rowcount'), String(COINS + 1));
  assert.ok((await page.$$('table.market tr[data-i]')).length < 60);
  await page.keyboard.press('End');
  await page.waitForSelector(`tr[data-i="${COINS - 1}"] a:focus`);
  await page.keyboard.press('Home');
  await page.waitForSelector('tr[data-i="0"] a:focus');
  await page.keyboard.press('ArrowDown');
  await page.waitForSelector('tr[data-i="1"] a:focus');
  await check();
  await close();
}

async function market_is_live() {
  const { page, check, close } = await market();
  await page.waitForSelector('.connection >> text=live');
  await page.waitForSelector('td.price .moved'); // a price that has changed before our eyes
  const before = await texts(page, 'td.price');
  await page.waitForFunction((old) => [...document.querySelectorAll('td.price')].some((cell, i) => cell.textContent.trim() !== old[i]), before);
  await check();
  await close();
}

// What else moves without an end is painted 60 times a second by the thread that has everything to do.
async function what_never_ends_changes_opacity_alone() {
  for (const hash of ['market', 'coin/bitcoin', 'pipeline', 'history', 'quality']) {
    const { page, check, close } = await open(browser, at(hash));
    await page.waitForSelector('.connection >> text=live');
    if (hash === 'pipeline') await page.waitForSelector('.reel.turning'); // polls flow
    await page.waitForFunction(() => !document.querySelector('.picture-wait'));
    const properties = await page.evaluate(() => document.getAnimations()
      .filter(({ effect }) => effect.getTiming().iterations === Infinity)
      .flatMap(({ effect }) => effect.getKeyframes().flatMap(Object.keys))
      .filter((name) => !['offset', 'computedOffset', 'easing', 'composite'].includes(name)));
    assert.ok(properties.length > 0, 'the dot of what is live');
    assert.deepEqual([...new Set(properties)], ['opacity']);
    await check();
    await close();
  }
}

async function rows_stay_in_order_while_they_overtake_each_other() {
  const { page, check, close } = await market('market?sort=-change24h');
  for (let i = 0; i < 20; i += 1) {
    const drawn = await page.$$eval('tr[data-i]', (rows) => rows.map((row) => Number(row.dataset.i)));
    assert.deepEqual(drawn, [...drawn].sort((a, b) => a - b));
    const seen = await page.textContent('tbody');
    await page.waitForFunction((old) => document.querySelector('tbody').textContent !== old, seen);
  }
  await check();
  await close();
}

async function market_sorts_by_headings_and_the_address_says_so() {
  const { page, check, close } = await market();
  await page.click('th.day button');
  await page.waitForSelector('th.day[aria-sort="descending"]');
  assert.match(page.url(), /sort=-change24h/);
  const changes = await page.$$eval('td.day', (cells) => cells.slice(0, 10).map((cell) =>
    parseFloat(cell.textContent.replace(/[▲▼%,]/g, '').replace('minus ', '-'))));
  assert.deepEqual(changes, [...changes].sort((a, b) => b - a));
  await page.reload();
  await page.waitForSelector('th.day[aria-sort="descending"]');
  await check();
  await close();
}

async function market_searches_filters_and_says_when_nothing_is_left() {
  const { page, check, close } = await market();
  await page.keyboard.press('/');
  await page.keyboard.type('bitcoin');
  await page.waitForFunction(() => [...document.querySelectorAll('a.name')].every((coin) => /bitcoin/i.test(coin.textContent + coin.title)));
  assert.match(await page.textContent('.count'), /^\d+ of 250 coins$/);
  await page.keyboard.type('-that-never-was');
  await page.waitForSelector('.empty >> text=No coin is left');
  await page.click('text=Clear the filter');
  await page.waitForFunction((n) => document.querySelector('.count').textContent === `${n} coins`, COINS);
  await page.click('.choice >> text=Up');
  await page.waitForFunction(() => [...document.querySelectorAll('td.day .change')].every((cell) => cell.classList.contains('up')));
  await check();
  await close();
}

async function market_shows_the_first_coins_before_all_others_have_come() {
  const { page, check, close } = await open(browser, 'about:blank');
  let release;
  const isHeld = new Promise((resolve) => { release = resolve; });
  await page.route((url) => url.pathname === '/api/market' && !url.searchParams.has('limit'), async (asked) => {
    await isHeld;
    await asked.continue();
  });
  await page.goto(at('market'));
  await page.waitForSelector('.count >> text=all other coins are on their way');
  assert.match((await texts(page, '.names b'))[0], /Bitcoin/);
  assert.ok((await page.$$('table.market tr[data-i]')).length > 10);
  await page.click('th.price button'); // the dearest need not be among them
  await page.waitForSelector('.bones');
  assert.equal(await page.isDisabled('text=as CSV'), true);
  release();
  await page.waitForFunction((n) => document.querySelector('.count').textContent === `${n} coins`, COINS);
  await page.waitForSelector('th.price[aria-sort="descending"]');
  await page.waitForSelector('.tile.movers li a');
  await check();
  await close();
}

async function market_asks_a_busy_store_again() {
  const { page, check, close } = await open(browser, 'about:blank');
  let n = 0;
  await page.route((url) => url.pathname === '/api/market' && !url.searchParams.has('limit'), async (asked) => {
    n += 1;
    await (n === 1 ? asked.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"it takes longer than 2000 ms; ask for less"}' }) : asked.continue());
  });
  await page.goto(at('market'));
  await page.waitForFunction((all) => document.querySelector('.count')?.textContent === `${all} coins`, COINS);
  assert.ok(n > 1);
  await check(/503/);
  await close();
}

async function an_event_of_many_coins_is_not_overtaken_by_the_next() {
  const { page, check, close } = await open(browser, 'about:blank');
  const sheet = await (await fetch(`${collector.url}api/market?vs_currency=usd`)).json();
  const [id, price, fetched] = ['id', 'current_price', 'fetched_at'].map((name) => sheet.columns.indexOf(name));
  const later = Date.now() + 3600000; // than what the collector answers
  const told = (rows, value) => JSON.stringify({ ...sheet, gone: [], rows: rows.map((row) =>
    row.map((cell, i) => (i === fetched ? later : i === price && row[id] === 'bitcoin' ? value : cell))) });
  const many = Array(8).fill(sheet.rows).flat();
  const events = [told(many, 111111), told(sheet.rows.filter((row) => row[id] === 'bitcoin'), 222222)];
  await page.route('**/api/events', (asked) =>
    asked.fulfill({ contentType: 'text/event-stream', body: `retry: 600000\n\n${events.map((data) => `event: market\ndata: ${data}\n\n`).join('')}` }));
  await page.goto(at('market'));
  const seen = await page.waitForFunction(() => /[12]{3},[12]{3}/.exec(document.querySelector('tbody')?.textContent ?? '')?.[0]);
  assert.equal(await seen.jsonValue(), '222,222');
  await check();
  await close();
}

async function market_draws_the_week_of_the_coins_in_sight() {
  const { page, check, close } = await open(browser, 'about:blank');
  const asked = [];
  await page.route('**/api/sparklines*', async (request) => {
    const ids = new URL(request.request().url()).searchParams.get('ids').split(',');
    asked.push(...ids);
    const answer = await request.fetch();
    assert.equal(answer.status(), 200);
    const week = Array.from({ length: 168 }, (_, i) => (i % 5 === 4 ? null : 100 + i));
    await request.fulfill({ response: answer, json: { ...await answer.json(), prices: Object.fromEntries(ids.map((id) => [id, week])) } });
  });
  await page.goto(at('market'));
  await page.waitForSelector('th.trend >> text=Last 7 days');
  await page.waitForSelector('tr[data-i="0"] td.trend .spark .line');
  assert.ok(asked.length < 60, `${asked.length} coins of ${COINS} were asked for`);
  await page.keyboard.press('End');
  await page.waitForSelector(`tr[data-i="${COINS - 1}"] td.trend .spark .line`);
  assert.ok(asked.length < 120);
  await check();
  await close();
}

async function market_remembers_what_is_watched() {
  const { page, check, close } = await market();
  const name = await page.textContent('tr[data-i="3"] .names b');
  await page.click('tr[data-i="3"] .watch');
  await page.reload();
  await page.waitForSelector('tr[data-i]');
  await page.click('.choice >> text=Watched');
  await page.waitForFunction(() => document.querySelectorAll('tr[data-i]').length === 1);
  assert.equal(await page.textContent('.names b'), name);
  await check();
  await close();
}

async function market_can_be_taken_away_as_csv() {
  const { page, check, close } = await market('market?q=bitcoin');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('text=as CSV')]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\r\n');
  assert.match(download.suggestedFilename(), /^geckotape-usd-.*\.csv$/);
  assert.match(lines[0], /^market_cap_rank,id,symbol,name,current_price,/);
  assert.match(lines[1], /^1,bitcoin,btc,Bitcoin,[0-9.]+,/);
  await check();
  await close();
}

async function market_changes_its_currency_and_back_goes_back() {
  const { page, check, close } = await market();
  await page.selectOption('.currency select', 'eur');
  await page.waitForSelector('td.price >> text=€');
  assert.match(page.url(), /vs_currency=eur/);
  await page.goBack();
  await page.waitForSelector('td.price >> text=$');
  await check();
  await close();
}

async function market_is_drawn_as_a_map_too() {
  const { page, check, close } = await market();
  await page.click('.choice >> text=Map');
  await page.waitForSelector('.patch');
  assert.equal((await page.$$('.patch')).length, 120);
  assert.deepEqual(await violations(page), []);
  await page.click('.patch >> nth=0');
  await page.waitForSelector('.coin-head h1 >> text=Bitcoin');
  await check();
  await close();
}

// ---- coin ----

async function coin_is_opened_from_the_market_and_is_live() {
  const { page, check, close } = await market();
  await page.click('tr[data-i="0"] td.cap');
  await page.waitForSelector('.coin-head h1 >> text=Bitcoin');
  assert.match(page.url(), /#\/coin\/bitcoin/);
  assert.match(await page.title(), /^SIMULATED · \$[0-9,.]+ Bitcoin · geckotape$/);
  await page.waitForSelector('.coin-price .moved'); // before our eyes
  await check();
  await close();
}

async function a_coin_that_nobody_knows_is_told() {
  const { page, check, close } = await open(browser, at('coin/never-was'));
  await page.waitForSelector('.empty >> text=No coin “never-was” is known here');
  await check();
  await close();
}

/** How many dots of the chart have a colour, which is given as #rrggbb or by the name of a variable. */
const inked = (page, colour) => page.evaluate((text) => {
  const hex = text.startsWith('#') ? text : getComputedStyle(document.documentElement).getPropertyValue(`--${text}`).trim();
  const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  let n = 0;
  for (const canvas of document.querySelectorAll('.canvas canvas')) {
    if (canvas.width === 0 || canvas.height === 0) continue;
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 200 && want.every((part, k) => Math.abs(data[i + k] - part) < 12);
  }
  return n;
}, colour);

async function untilInked(page, colour) {
  const end = Date.now() + 60000;
  for (;;) {
    const n = await inked(page, colour);
    if (n > 30) return;
    if (Date.now() > end) throw new Error(`${n} dots of ${colour}; the chart says: ${await page.textContent('section.chart')}`);
    await page.waitForTimeout(200);
  }
}

const COMPARED = '#4f9dff'; // the first colour of what a coin is compared with

async function coin_has_a_line_candles_a_line_beside_it_and_a_record_behind_it() {
  const { page, check, close } = await open(browser, at('coin/bitcoin'));
  await untilInked(page, 'accent');
  await page.waitForSelector('.choice [aria-pressed="true"] >> text=1H'); // there is no more to see
  await page.click('.choice >> text=Candles');
  await page.waitForSelector('.choice [aria-pressed="true"] >> text=24H'); // there are none of an hour
  await Promise.any([untilInked(page, 'up'), untilInked(page, 'down')]);
  await page.click('.choice >> text=Line');
  await untilInked(page, 'accent');
  assert.ok(await inked(page, COMPARED) < 30);
  await page.fill('.finder input', 'ethereum');
  await page.waitForSelector('.finder li >> text=Ethereum');
  await page.keyboard.press('Enter');
  await untilInked(page, COMPARED);
  await page.waitForSelector('.compared li .change');
  assert.match(page.url(), /with=ethereum/);
  await page.click('.canvas', { position: { x: 300, y: 120 } });
  await page.waitForSelector('dialog .raw >> text=current_price');
  await check();
  await close();
}

async function prices_that_never_change_are_drawn_at_once() {
  const still = await makeCollector('  top:\n    top: 20\n    every: 1s', []);
  try {
    const { page, check, close } = await open(browser, `${still.url}#/coin/bitcoin`);
    await untilInked(page, 'accent');
    await page.click('.choice >> text=24H');
    await untilInked(page, 'accent');
    await check();
    await close();
  } finally {
    await still.remove();
  }
}

async function a_range_without_prices_tells_which_has_some() {
  const { page, check, close } = await open(browser, at('coin/bitcoin'));
  await untilInked(page, 'accent');
  await page.route('**/api/series?*points=800*', async (asked) => {
    const response = await asked.fetch();
    const body = await response.json();
    await asked.fulfill({ response, json: { ...body, points: body.until - body.from > 7200000 ? [] : body.points } });
  });
  await page.click('.choice >> text=7D');
  await page.waitForSelector('.picture-empty >> text=There is something from 20');
  await page.click('.picture-empty button >> text=Show 1H');
  await untilInked(page, 'accent');
  await page.unrouteAll({ behavior: 'ignoreErrors' }); // one may be on its way
  await check();
  await close();
}

// ---- pipeline ----

async function pipeline_shows_the_flow_and_the_polls() {
  const { page, check, close } = await open(browser, at('pipeline'));
  await page.waitForSelector('.box.sink');
  assert.deepEqual(await texts(page, '.box h2'), ['Simulator', 'top', 'eur', 'Tape', 'sqlite', 'json']);
  await page.waitForFunction(() => document.querySelectorAll('.lines .line').length === 6);
  await page.waitForFunction(() => [...document.querySelectorAll('.lines text')].some((text) => parseFloat(text.textContent) > 0));
  await page.waitForSelector('.timeline .bar');
  const bars = (await page.$$('.timeline .bar')).length;
  await page.waitForFunction((n) => document.querySelectorAll('.timeline .bar').length > n, bars);
  await page.keyboard.press('ArrowLeft');
  await page.waitForSelector('table.plain tr.chosen:not(:first-child)');
  await check();
  await close();
}

async function pipeline_polls_now_with_the_token_only() {
  const { page, check, close } = await open(browser, at('pipeline'));
  await page.click('.box.job .run >> nth=1'); // the job of every 5 s
  await page.fill('dialog input', 'not-this-one');
  await page.click('dialog button.primary');
  await page.waitForSelector('dialog .answer.bad >> text=not the right one');
  await page.fill('dialog input', TOKEN);
  await page.click('dialog button.primary');
  await page.waitForSelector('dialog .answer.good');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await check(/status of 401/);
  await close();
}

async function pipeline_tells_how_long_the_budget_lasts() {
  const day = ((new Date().getUTCDate() + 14) % 28) + 1; // of the last hours of a period 50,000 calls are more than enough
  const spender = await makeCollector('  top:\n    top: 20\n    every: 1s', ['--api-budget', '50000', '--api-budget-day', `${day}`]);
  try {
    const { page, check, close } = await open(browser, `${spender.url}#/pipeline`);
    await page.waitForSelector('.budget .chip.warn >> text=is stretched');
    await page.waitForSelector('.budget >> text=/of 50,000 spent/');
    await page.waitForSelector('.budget >> text=/top polls \\d+% of its slots/');
    assert.deepEqual(await violations(page), []);
    await check();
    await close();
  } finally {
    await spender.remove();
  }
}

async function pipeline_tells_how_far_apart_an_adaptive_job_polls() {
  const calm = await makeCollector('  calm:\n    top: 20\n    adaptive: {min: 1s, max: 1m}\n  even:\n    top: 20\n    every: 1m', []);
  try {
    const { page, check, close } = await open(browser, `${calm.url}#/pipeline`);
    await page.waitForSelector('[data-box="job calm"] >> text=/now every/');
    const { jobs } = await (await fetch(`${calm.url}api/status`)).json();
    assert.ok(jobs[0].interval_ms > 1000 && jobs[1].interval_ms === 0, JSON.stringify(jobs)); // as long as the cache has nothing new
    assert.match((await texts(page, '[data-box="job calm"]'))[0], /now every(\d+ s|1 min)/);
    assert.doesNotMatch((await texts(page, '[data-box="job even"]'))[0], /now every/);
    await check();
    await close();
  } finally {
    await calm.remove();
  }
}

// ---- history and the time machine ----

async function history_tells_days_hours_and_gaps() {
  const { page, check, close } = await open(browser, at('history'));
  await page.waitForSelector('.day[aria-pressed="true"]:not(.none)');
  await page.waitForSelector('a.hour');
  assert.deepEqual(await texts(page, '.tile h2'), ['Collected since', 'Covered', 'Gaps', 'Longest gap']);
  assert.match((await texts(page, '.tile .figure'))[1], /^[0-9.]+%$/);
  await page.selectOption('.tools select', 'eur');
  assert.match(page.url(), /job=eur/);
  await check();
  await close();
}

async function the_past_is_chosen_on_any_page_and_left_again() {
  const { page, check, close } = await open(browser, at('pipeline'));
  await page.waitForSelector('.timebar');
  await page.waitForTimeout(2000); // so that there is a past
  await page.keyboard.press(',');
  await page.waitForSelector('.notice.past >> text=As it was known at 20');
  assert.match(page.url(), /at=20[0-9-]+T[0-9:]+Z/);
  await page.click('.timebar .now');
  await page.waitForSelector('.notice.past', { state: 'detached' });
  assert.doesNotMatch(page.url(), /at=/);
  await check();
  await close();
}

// ---- quality ----

async function quality_lists_what_was_refused_and_flagged_down_to_the_record() {
  const { page, check, close } = await open(browser, at('quality'));
  await page.waitForSelector('td >> text=wrong type');
  await page.$$eval('.more button', (buttons) => buttons.forEach((button) => button.click()));
  await page.waitForFunction(() => [...document.querySelectorAll('td')].filter((cell) => cell.textContent === 'wrong type').length > 100);
  await page.click('[aria-label^="Record "]');
  await page.waitForSelector('dialog .raw tr.chosen >> text=total_supply');
  assert.match(await page.textContent('dialog .raw tr.chosen td'), /^\{"value":[0-9.]+\}$/);
  await page.keyboard.press('Escape');
  await page.click('.choice >> text=/^price jump/');
  assert.match(page.url(), /rule=price_jump/);
  await page.waitForSelector('.rule-words >> text=more than doubled');
  assert.deepEqual([...new Set(await texts(page, '.page-quality section:last-of-type tbody td:nth-child(3)'))].filter(Boolean), ['price jump']);
  await check();
  await close();
}

// ---- a store alone ----

async function a_server_of_a_store_is_live_and_says_what_it_is() {
  const server = await makeServer(collector);
  try {
    const { page, check, close } = await open(browser, `${server.url}#/market`);
    await page.waitForSelector('.connection >> text=live');
    await page.waitForSelector('td.price .moved'); // by what another process has stored
    await page.keyboard.press('2');
    await page.waitForSelector('text=A store that others write is shown here');
    await page.waitForSelector('[data-box="store"] >> text=answers');
    assert.deepEqual(await texts(page, '.box h2'), ['eur', 'top', 'sqlite']);
    assert.equal(await page.isVisible('text=Poll now'), false);
    await page.waitForSelector('.timeline .bar');
    const bars = (await page.$$('.timeline .bar')).length;
    await page.waitForFunction((n) => document.querySelectorAll('.timeline .bar').length > n, bars);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('3');
    await page.waitForSelector('.day[aria-pressed="true"]:not(.none)');
    await page.keyboard.press('4');
    await page.waitForSelector('.rule-words');
    await check();
    await close();
  } finally {
    await server.stop();
  }
}

async function a_server_of_a_moment_says_so_on_each_page_and_goes_on() {
  const first = (await (await fetch(`${collector.url}api/polls?job=top&limit=1000`)).json()).polls.at(-1);
  const server = await makeServer(collector, ['--at', first.finished, '--speed', '2']);
  try {
    const { page, check, close } = await open(browser, `${server.url}#/market`);
    await page.waitForSelector('.notice.past >> text=goes on 2 times as fast as time');
    await page.waitForSelector('td.price .moved');
    assert.match(await page.textContent('.connection'), /the past$/);
    await page.click('tr[data-i="0"] a');
    await page.waitForSelector('.coin-head h1 >> text=Bitcoin');
    await untilInked(page, 'accent');
    await page.keyboard.press('2');
    await page.waitForSelector('[data-box="store"] >> text=answers');
    await page.waitForSelector('.empty >> text=not told as of a moment');
    await page.keyboard.press('3');
    await page.waitForSelector('.empty >> text=not told as of a moment');
    await page.waitForSelector('.notice.past >> text=This server shows the past');
    await check(/status of 501/);
    await close();
  } finally {
    await server.stop();
  }
}

// ---- strangers' words ----

const HOSTILE = '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>javascript:alert(1)';

/** Every text of a value, with what would do harm if it were anything but text. */
function poisoned(value, kept) {
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT/.test(value) || value === '' ? value : `${value}${HOSTILE}`;
  if (Array.isArray(value)) return value.map((each) => poisoned(each, kept));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, kept.has(key) ? each : poisoned(each, kept)]));
}

async function words_of_strangers_are_words_on_each_page() {
  // what the page goes by, or asks for again
  const kept = new Set(['vs_currency', 'columns', 'state', 'day', 'outcome', 'last_outcome', 'stream', 'rule']);
  for (const [hash, ready] of [...PAGES, ['market?view=map', '.patch'], [`coin/${encodeURIComponent(HOSTILE)}`, '.empty, .coin-head'], [`market?q=${encodeURIComponent(HOSTILE)}`, 'tr[data-i]'], ['coin/bitcoin?with=<img src=x onerror=window.hacked=1>', '.coin-head']]) {
    const { page, check, close } = await open(browser, 'about:blank');
    await page.route(/\/api\/(market|status|polls|gaps|coverage|quality|quarantine|series)/, async (asked) => {
      const answer = await asked.fetch();
      const body = await answer.json();
      const isMarket = asked.request().url().includes('/api/market');
      const id = isMarket ? body.columns.indexOf('id') : -1;
      const words = poisoned(body, kept);
      if (isMarket) words.rows.forEach((row, i) => { row[id] = body.rows[i][id]; });
      // rows are lines
      const text = isMarket ? JSON.stringify({ ...words, rows: [] }).replace('[]}', `[\n${words.rows.map((row) => JSON.stringify(row)).join(',\n')}]}\n`) : JSON.stringify(words);
      await asked.fulfill({ response: answer, body: text });
    });
    await page.goto(at(hash));
    await page.waitForSelector(ready);
    await page.waitForTimeout(300); // so that an image that must not be there would have failed to load
    assert.equal(await page.evaluate(() => window.hacked), undefined, hash);
    assert.deepEqual(await page.$$eval('[src="x"], [onerror], a[href^="javascript:"]', (all) => all.map((each) => each.outerHTML)), [], hash);
    assert.equal(await page.$$eval('script:not([src])', (all) => all.length), 0);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await check(/status of 40[04]/);
    await close();
  }
}

// ---- all pages ----

const PAGES = [['market', 'tr[data-i]'], ['coin/bitcoin', '.coin-facts'], ['pipeline', '.timeline .bar'], ['history', '.day[aria-pressed="true"]'], ['quality', '.rule-words']];

async function pages_have_nothing_that_axe_finds() {
  for (const [hash, ready] of PAGES) {
    for (const theme of ['dark', 'light']) {
      for (const width of [1280, 390]) {
        const { page, check, close } = await open(browser, at(hash), { theme, width });
        await page.waitForSelector(ready);
        assert.deepEqual(await violations(page), [], `${hash}, ${theme}, ${width}`);
        assert.equal(await page.getAttribute('html', 'data-theme'), theme);
        await check();
        await close();
      }
    }
  }
}

async function pages_fit_a_phone_and_do_not_jump() {
  for (const [hash, ready] of PAGES) {
    const { page, check, close } = await open(browser, at(hash), { width: 390, height: 844 });
    await page.waitForSelector(ready);
    const { inner, wide } = await overflow(page);
    assert.ok(wide <= inner, `${hash}: ${wide} px wide`);
    const { shift, shifts } = await jumps(page);
    assert.ok(shift < 0.1, `${hash}: jumps by ${shift}\n${shifts.join('\n')}`);
    await check();
    await close();
  }
}

async function pages_say_that_it_is_simulated_and_whose_data_it_is() {
  for (const [hash, ready] of PAGES) {
    const { page, check, close } = await open(browser, at(hash));
    await page.waitForSelector(ready);
    assert.ok(await page.isVisible('text=SIMULATED >> nth=0'));
    assert.match(await page.title(), /^SIMULATED · /);
    assert.equal(await page.getAttribute('footer >> text=CoinGecko >> nth=0', 'href'), 'https://www.coingecko.com/');
    assert.match(await page.textContent('footer'), /not affiliated with CoinGecko/);
    await check();
    await close();
  }
}

async function keys_walk_the_pages_and_explain_themselves() {
  const { page, check, close } = await market();
  await page.keyboard.press('?');
  await page.waitForSelector('dialog >> text=Dark or light');
  await page.keyboard.press('Escape');
  await page.keyboard.press('2');
  await page.waitForSelector('.box.api');
  await page.keyboard.press('1');
  await page.waitForSelector('tr[data-i]');
  await page.keyboard.press('t');
  await page.waitForSelector('html[data-theme="light"]');
  await check();
  await close();
}

async function a_collector_that_is_gone_is_told_and_found_again() {
  const { page, check, close } = await market();
  await collector.stop();
  await page.waitForSelector('text=does not answer at this address');
  assert.match(await page.title(), /^✕/);
  assert.ok((await page.$$('tr[data-i]')).length > 0, 'the last rows stay');
  await collector.start();
  await page.waitForSelector('text=does not answer at this address', { state: 'detached' });
  await check(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|status of 503/);
  await close();
}

let failed = 1;
try {
  failed = await runCases([
    market_draws_rows_in_sight_and_reaches_the_last, market_is_live, what_never_ends_changes_opacity_alone, rows_stay_in_order_while_they_overtake_each_other, market_sorts_by_headings_and_the_address_says_so,
    market_searches_filters_and_says_when_nothing_is_left, market_shows_the_first_coins_before_all_others_have_come, market_asks_a_busy_store_again, an_event_of_many_coins_is_not_overtaken_by_the_next, market_draws_the_week_of_the_coins_in_sight, market_remembers_what_is_watched, market_can_be_taken_away_as_csv,
    market_changes_its_currency_and_back_goes_back, market_is_drawn_as_a_map_too, coin_is_opened_from_the_market_and_is_live, a_coin_that_nobody_knows_is_told,
    coin_has_a_line_candles_a_line_beside_it_and_a_record_behind_it, prices_that_never_change_are_drawn_at_once, a_range_without_prices_tells_which_has_some,
    pipeline_shows_the_flow_and_the_polls, pipeline_polls_now_with_the_token_only, pipeline_tells_how_long_the_budget_lasts, pipeline_tells_how_far_apart_an_adaptive_job_polls, history_tells_days_hours_and_gaps, the_past_is_chosen_on_any_page_and_left_again,
    quality_lists_what_was_refused_and_flagged_down_to_the_record,
    a_server_of_a_store_is_live_and_says_what_it_is, a_server_of_a_moment_says_so_on_each_page_and_goes_on, words_of_strangers_are_words_on_each_page,
    pages_have_nothing_that_axe_finds, pages_fit_a_phone_and_do_not_jump, pages_say_that_it_is_simulated_and_whose_data_it_is,
    keys_walk_the_pages_and_explain_themselves, a_collector_that_is_gone_is_told_and_found_again,
  ]);
} finally {
  await browser.close();
  await collector.remove();
}
process.exit(failed === 0 ? 0 : 1);
