// SPDX-License-Identifier: Apache-2.0
// The root page: asks the server it came from every 5 seconds and shows what it says. Nothing else
// is ever asked, so nothing about the reader leaves the host.

const REFRESH_MS = 5000;
const PATIENCE_MS = 10000;
const PER_PAGE = 250;
const OLD_MS = 15 * 60000; // a row that CoinGecko has not touched for so long is marked

const $ = (id) => document.getElementById(id);
const text = (value) => (value === null || value === undefined ? '' : String(value));

const state = {
  status: null,
  skew: 0, // the server's clock minus ours, ms
  coins: [],
  pages: 1,
  isMore: false, // there are coins behind the last page
  currency: '', // that was chosen
  shown: '', // that `coins` are in: another one until its rows have come
  sort: { key: 'market_cap_rank', isDown: false },
  search: '',
  refusal: null, // what the API says instead of rows
  isLost: false,
  updatedAt: 0,
};

// ---- words and numbers ----

const now = () => Date.now() + state.skew;
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', minimumFractionDigits: 2, maximumFractionDigits: 2 });

function duration(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

const ago = (time) => (time ? `${duration(now() - Date.parse(time))} ago` : 'not yet');

function unit() {
  const signs = { usd: '$', eur: '€', gbp: '£', jpy: '¥', btc: '₿' };
  return signs[state.shown] ?? `${state.shown.toUpperCase()} `;
}

// 0.00000000123 is 0.0₈123: the small figure counts the zeros.
function tiny(value) {
  const [digits, exponent] = value.toExponential(3).split('e-');
  const zeros = String(Number(exponent) - 1).replace(/\d/g, (d) => '₀₁₂₃₄₅₆₇₈₉'[d]);
  return `0.0${zeros}${digits.replace('.', '').replace(/0+$/, '')}`;
}

function price(value) {
  if (typeof value !== 'number') return '–';
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-4) return (value < 0 ? '-' : '') + unit() + tiny(size);
  const digits = size >= 1 || size === 0
    ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
    : { maximumSignificantDigits: size < 0.01 ? 4 : 5, minimumSignificantDigits: 2 };
  return unit() + value.toLocaleString('en', digits);
}

const amount = (value) => (typeof value === 'number' ? unit() + compact.format(value) : '–');

function percent(value) {
  if (typeof value !== 'number') return '–';
  const sign = value > 0 ? '▲ ' : value < 0 ? '▼ ' : '';
  const size = Math.abs(value);
  return `${sign}${size < 1000 ? size.toFixed(size < 100 ? 2 : 1) : compact.format(size)}%`;
}

// ---- the page's parts ----

function make(tag, className, content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (content !== undefined) node.append(content);
  return node;
}

function set(node, content) {
  if (node.textContent !== content) node.textContent = content;
}

function say(words) {
  set($('live'), words); // for screen readers: only when the state changes
}

let clocks = []; // what to write anew each second

function onTick(write) {
  clocks.push(write);
  write();
}

// value: text, or a function of the moment
function facts(pairs) {
  const list = make('dl', 'facts');
  for (const [name, value] of pairs) {
    const pair = make('div');
    const shown = make('dd');
    pair.append(make('dt', '', name), shown);
    list.append(pair);
    if (typeof value === 'function') onTick(() => set(shown, value()));
    else shown.append(value);
  }
  return list;
}

function card(kind, name, chipKind, chipText) {
  const item = make('li', 'card');
  const head = make('header');
  const title = make('h3', '', name);
  title.title = name;
  head.append(make('span', 'kind', kind), make('span', `chip ${chipKind}`, chipText));
  item.append(head, title);
  return item;
}

const OUTCOMES = {
  ok: ['good', 'ok'],
  partial: ['warn', 'partial: pages missing'],
  failed: ['bad', 'failed'],
  aborted: ['warn', 'aborted'],
};

function next(job) {
  const left = Date.parse(job.next_due) - now();
  return left > 0 ? `in ${duration(left)}` : 'now';
}

function progress(job) {
  const bar = make('progress');
  bar.max = job.every_ms;
  bar.setAttribute('aria-hidden', 'true');
  onTick(() => {
    const left = Date.parse(job.next_due) - now();
    bar.value = Math.min(job.every_ms, Math.max(0, job.every_ms - left));
  });
  return bar;
}

function jobCard(job) {
  const [chipKind, chipText] = OUTCOMES[job.last_outcome] ?? ['', 'first poll to come'];
  const item = card('Poll', job.name, chipKind, job.polling ? 'polling…' : chipText);
  item.append(make('p', 'what', job.what), facts([
    ['last poll', () => ago(job.last_ended)],
    ['next', () => (job.next_due ? next(job) : '–')],
    ['answered in', job.last_ended ? `${whole.format(job.last_latency_ms)} ms` : '–'],
    ['on the tape', whole.format(job.head)],
  ]));
  if (job.last_error) {
    const times = job.failed_in_row > 1 ? ` (${whole.format(job.failed_in_row)} polls in a row)` : '';
    item.append(make('p', 'problem', job.last_error + times));
  }
  if (job.next_due && job.every_ms > 0) item.append(progress(job));
  return item;
}

const SINK_STATES = {
  starting: ['', 'starting'],
  working: ['good', 'working'],
  waiting: ['warn', 'waiting to try again'],
  stopped: ['bad', 'stopped'],
};

function sinkCard(sink) {
  const [chipKind, chipText] = SINK_STATES[sink.state] ?? ['', sink.state];
  const item = card('Sink', sink.url, chipKind, chipText);
  const lag = sink.state === 'starting' ? 'finds out where it left off'
    : sink.lag === 0 ? 'holds all that is on the tape'
    : `${whole.format(sink.lag)} ${sink.lag === 1 ? 'record' : 'records'} behind the tape`;
  item.append(make('p', 'what', lag), facts([
    ['newest row', () => ago(sink.newest_row)],
    ['rows stored', whole.format(sink.rows)],
    ['unchanged', whole.format(sink.unchanged)],
    ['last load', sink.last_load ? `${whole.format(sink.last_load_ms)} ms` : '–'],
  ]));
  if (sink.last_error) item.append(make('p', 'problem', sink.last_error));
  return item;
}

function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit > 0 && value < 99.95 ? 1 : 0)} ${units[unit]}`;
}

function tapeCard(disk, jobs) {
  const days = disk.day_bytes > 0 ? Math.floor(disk.free_bytes / disk.day_bytes) : Infinity;
  const missed = jobs.reduce((sum, job) => sum + job.missed_slots, 0);
  const [chipKind, chipText] = days < 1 ? ['bad', 'full within a day'] : days < 30 ? ['warn', `full in ${days} days`] : ['good', 'has room'];
  const item = card('Tape', 'every answer, as it came', chipKind, chipText);
  item.append(make('p', 'what', disk.oldest ? `since ${disk.oldest.slice(0, 10)}` : 'empty'), facts([
    ['on the tape', size(disk.tape_bytes)],
    ['more a day', disk.day_bytes > 0 ? size(disk.day_bytes) : '–'],
    ['disk free', size(disk.free_bytes)],
    ['slots missed', whole.format(missed)],
  ]));
  if (disk.last_error) item.append(make('p', 'problem', disk.last_error));
  return item;
}

let pipelineShown = '';

function showPipeline() {
  const { status } = state;
  $('pipeline').classList.toggle('stale', state.isLost);
  const key = status ? JSON.stringify([status.jobs, status.sinks, status.disk]) : '';
  if (key === pipelineShown) return; // what a reader has selected stays selected
  pipelineShown = key;
  clocks = [];
  const tape = status.disk.checked ? [tapeCard(status.disk, status.jobs)] : [];
  $('pipeline').replaceChildren(...status.jobs.filter((job) => !job.idle).map(jobCard), ...status.sinks.map(sinkCard), ...tape);
}

function showHead() {
  const { status } = state;
  $('connection').className = `connection ${state.isLost ? 'lost' : state.updatedAt ? 'live' : ''}`;
  const age = duration(Date.now() - state.updatedAt);
  set($('connection-text'), state.isLost ? 'no answer' : state.updatedAt ? `live · ${age} ago` : 'connecting…');
  if (status) {
    set($('version'), status.version);
    $('simulated').hidden = !status.simulated;
  }
  const notice = state.isLost
    ? 'geckotape does not answer at this address. Is it still running? This page keeps trying.'
    : status?.stopping ? 'geckotape is stopping.'
      : status?.simulated ? 'This market is made up by the simulator: no price here is real.' : '';
  $('notice').hidden = notice === '';
  $('notice').classList.toggle('simulation', !state.isLost);
  set($('notice'), notice);
  document.title = `${state.isLost ? '✕ ' : ''}${status?.simulated ? 'SIMULATED · ' : ''}geckotape`;
}

// ---- the table ----

const rows = new Map(); // coin id -> its <tr>

function makeRow(coin) {
  const row = make('tr');
  const letter = make('span', 'letter');
  letter.setAttribute('aria-hidden', 'true');
  const name = make('div', 'name');
  name.append(letter, make('b'), make('i'));
  const head = make('td', 'coin', name);
  row.append(make('td', 'rank'), head, make('td', 'price'), make('td', 'change'), make('td', 'cap'),
    make('td', 'volume'), make('td', 'age'));
  row.cells[2].addEventListener('animationend', (event) => event.target.classList.remove('rose', 'fell'));
  let hash = 0;
  for (const char of coin.id) hash = (hash * 31 + char.codePointAt(0)) % 65521;
  letter.classList.add(`hue-${hash % 8}`);
  return row;
}

function flash(cell, before, after) {
  if (typeof before !== 'number' || typeof after !== 'number' || before === after) return;
  cell.classList.remove('rose', 'fell');
  void cell.offsetWidth; // lets the same animation begin again
  cell.classList.add(after > before ? 'rose' : 'fell');
}

function fillRow(row, coin) {
  const [rank, name, cost, change, cap, volume] = row.cells;
  const [letter, title, symbol] = name.firstChild.children;
  const first = [...(coin.symbol || coin.name).replace(/[^\p{L}\p{N}]/gu, '')][0] ?? '?';
  flash(cost, row.coin?.current_price, coin.current_price);
  row.coin = coin;
  set(rank, coin.market_cap_rank === null ? '–' : text(coin.market_cap_rank));
  set(letter, first.toUpperCase());
  set(title, coin.name);
  set(symbol, coin.symbol);
  name.title = coin.id;
  set(cost, price(coin.current_price));
  cost.title = text(coin.current_price);
  set(change, percent(coin.price_change_percentage_24h));
  const move = coin.price_change_percentage_24h;
  change.className = `change ${move > 0 ? 'up' : move < 0 ? 'down' : ''}`;
  set(cap, amount(coin.market_cap));
  cap.title = typeof coin.market_cap === 'number' ? whole.format(coin.market_cap) : '';
  set(volume, amount(coin.total_volume));
  volume.title = typeof coin.total_volume === 'number' ? whole.format(coin.total_volume) : '';
}

function showAge(row) {
  const cell = row.cells[6];
  const time = row.coin.last_updated;
  const age = time ? now() - Date.parse(time) : NaN;
  set(cell, time ? duration(age) : '–');
  cell.classList.toggle('old', age > OLD_MS);
  cell.title = text(time);
}

function compare(a, b) {
  const { key, isDown } = state.sort;
  const [x, y] = [a[key], b[key]];
  if (x === null || y === null || x === undefined || y === undefined) {
    return (x === null || x === undefined) - (y === null || y === undefined); // nothing comes last
  }
  const order = typeof x === 'string' ? x.localeCompare(y, 'en') : x - y;
  return isDown ? -order : order;
}

function visibleCoins() {
  const wanted = state.search.trim().toLowerCase();
  const found = wanted === '' ? [...state.coins] : state.coins.filter((coin) => [coin.name, coin.symbol, coin.id]
    .some((word) => word.toLowerCase().includes(wanted)));
  return found.sort(compare);
}

function whyEmpty() {
  if (state.refusal) return ['The rows cannot be read here', state.refusal];
  if (state.coins.length > 0) return [`No coin matches “${state.search.trim()}”`, 'Names, symbols and ids are searched.'];
  if (state.isLost) return ['No answer from geckotape', 'Rows appear as soon as it answers again.'];
  const job = state.status?.jobs.find((candidate) => candidate.vs_currency === state.currency);
  if (!state.updatedAt || !job) return ['Waiting for the first rows', 'They appear here as soon as a sink has stored a poll.'];
  if (job.last_outcome === 'failed') {
    return ['No rows yet: the first poll failed', `${job.last_error || 'CoinGecko did not answer'}. geckotape keeps trying.`];
  }
  return ['No rows yet', job.polling ? 'The first poll is under way; its rows appear here once a sink has stored them.'
    : `The first rows appear here after the next poll of ${job.name}, once a sink has stored them.`];
}

function showEmpty(isEmpty) {
  $('empty').hidden = !isEmpty;
  if (!isEmpty) return;
  const [title, words] = whyEmpty();
  $('empty').replaceChildren(make('strong', '', title), words);
}

function showTable() {
  const body = $('rows');
  const shown = visibleCoins();
  const known = new Set(state.coins.map((coin) => coin.id));
  for (const id of rows.keys()) if (!known.has(id)) rows.delete(id);
  const wanted = shown.map((coin) => {
    if (!rows.has(coin.id)) rows.set(coin.id, makeRow(coin));
    const row = rows.get(coin.id);
    if (row.coin !== coin) fillRow(row, coin);
    showAge(row);
    return row;
  });
  if (wanted.length !== body.rows.length || wanted.some((row, i) => row !== body.rows[i])) {
    body.replaceChildren(...wanted);
  }
  const total = `${whole.format(state.coins.length)} coins in ${state.shown}`;
  set($('count'), state.coins.length === 0 ? '' : state.search.trim() === '' ? total : `${whole.format(shown.length)} of ${total}`);
  $('more').hidden = !state.isMore || state.search.trim() !== '';
  document.querySelector('.sheet').classList.toggle('stale', state.isLost);
  showEmpty(wanted.length === 0);
}

function showSort() {
  for (const head of document.querySelectorAll('th[data-key]')) {
    if (head.dataset.key === state.sort.key) head.setAttribute('aria-sort', state.sort.isDown ? 'descending' : 'ascending');
    else head.removeAttribute('aria-sort');
  }
}

function showCurrencies() {
  const currencies = [...new Set(state.status.jobs.map((job) => job.vs_currency).filter(Boolean))];
  if (!currencies.includes(state.currency)) state.currency = currencies[0] ?? 'usd';
  $('currency-label').hidden = currencies.length < 2;
  $('api').href = marketPath({});
  if ([...$('currency').options].map((option) => option.value).join() === currencies.join()) return;
  $('currency').replaceChildren(...currencies.map((name) => new Option(name.toUpperCase(), name)));
  $('currency').value = state.currency;
}

// ---- asking ----

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: 'no-store' });
  const body = await response.json();
  return { status: response.status, body };
}

async function askStatus() {
  const { body } = await ask('/api/status');
  state.status = body;
  state.skew = Date.parse(body.now) - Date.now();
}

function marketPath(paging) {
  return `/api/v3/coins/markets?${new URLSearchParams({ vs_currency: state.currency, ...paging })}`;
}

// The rows of one page; what it says instead goes to `refusal`.
async function askPage(paging) {
  const { status, body } = await ask(marketPath(paging));
  if (status === 200 && Array.isArray(body)) return body;
  if (status !== 400) state.refusal = text(body.error) || 'The API gave no reason.'; // 400: nothing in this currency yet
  return [];
}

async function askMarket() {
  const { currency, pages } = state;
  const all = new Map(); // ranks move between two pages: a coin may come twice
  let length = PER_PAGE;
  state.refusal = null;
  for (let page = 1; page <= pages && length === PER_PAGE; page += 1) {
    const coins = await askPage({ per_page: PER_PAGE, page });
    for (const coin of coins) all.set(coin.id, coin);
    length = coins.length;
  }
  const isMore = length === PER_PAGE && (await askPage({ per_page: 1, page: pages * PER_PAGE + 1 })).length > 0;
  if (currency !== state.currency) return; // another one was chosen meanwhile
  if (currency !== state.shown) rows.clear(); // or all prices would flash
  Object.assign(state, { coins: [...all.values()], shown: currency, isMore });
}

function noteAnswer() {
  if (state.isLost) say('geckotape answers again');
  state.isLost = false;
  state.updatedAt = Date.now();
}

function noteSilence() {
  if (!state.isLost) say('geckotape does not answer; trying again');
  state.isLost = true;
}

let isAsking = false;
let isOutdated = false; // something else has been chosen since it was asked

async function refresh() {
  if (isAsking || document.hidden) return;
  isAsking = true;
  isOutdated = false;
  try {
    await askStatus();
    showCurrencies();
    await askMarket();
    noteAnswer();
  } catch {
    noteSilence();
  }
  isAsking = false;
  show();
  if (isOutdated) refresh();
}

// What was chosen is asked for at once, or as soon as the answer under way is there.
function choose(choice) {
  Object.assign(state, choice);
  isOutdated = true;
  refresh();
}

function show() {
  showHead();
  showPipeline();
  showTable();
}

function tick() {
  showHead();
  for (const write of clocks) write();
  for (const row of $('rows').rows) if (row.coin) showAge(row);
}

// ---- hands ----

document.querySelector('thead').addEventListener('click', (event) => {
  const head = event.target.closest('th[data-key]');
  if (!head) return;
  const { key } = head.dataset;
  const isNew = state.sort.key !== key;
  const startsDown = key !== 'name' && key !== 'market_cap_rank';
  state.sort = { key, isDown: isNew ? startsDown : !state.sort.isDown };
  showSort();
  showTable();
});

$('search').addEventListener('input', (event) => {
  state.search = event.target.value;
  showTable();
});

$('currency').addEventListener('change', (event) => {
  choose({ currency: event.target.value, pages: 1 });
});

$('more').addEventListener('click', () => {
  choose({ pages: state.pages + 1 });
});

document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== $('search') && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    $('search').focus();
  }
});

document.addEventListener('visibilitychange', refresh);

for (let i = 0; i < 12; i += 1) { // holds the table's place until the first answer
  const row = make('tr');
  for (const name of ['rank', 'coin', 'price', 'change', 'cap', 'volume', 'age']) {
    row.append(make('td', name, make('span', 'bone')));
  }
  $('rows').append(row);
}
showSort();
setInterval(tick, 1000);
setInterval(refresh, REFRESH_MS);
refresh();
