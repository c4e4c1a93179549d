// SPDX-License-Identifier: Apache-2.0
// How the dashboard measures with 17,000 coins in one job: sizes, times, and what Lighthouse says where it is installed. By hand:
//   GECKOTAPE=build/geckotape [GECKOTAPE_LIGHTHOUSE=a folder with node_modules/lighthouse and chrome-launcher] node tests/browser/measure.mjs [PAGE …]
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { FLAGS, CHROMIUM, launch, open } from './browser.mjs';
import { makeCollector } from './collector.mjs';

const COINS = 17000;
const say = (what, value) => console.log(`${what.padEnd(64)} ${value}`);
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function sizes() {
  const dist = new URL('../../web/dist/', import.meta.url);
  const files = [new URL('index.html', dist), new URL('favicon.svg', dist), ...readdirSync(new URL('assets/', dist)).map((name) => new URL(`assets/${name}`, dist))];
  const packed = files.map((file) => gzipSync(readFileSync(file)).length);
  say('all files of the dashboard, gzipped', `${(packed.reduce((a, b) => a + b) / 1000).toFixed(1)} kB`);
}

async function times(browser, url) {
  const { page, check, close } = await open(browser, `${url}#/market`);
  await page.waitForFunction((n) => Number(document.querySelector('table.market')?.getAttribute('aria-rowcount')) > n, COINS, { timeout: 120000 });
  await close();
  const again = await open(browser, `${url}#/market`);
  await again.page.waitForSelector('tr[data-i]');
  const { paint, rows } = await again.page.evaluate(() => ({ paint: performance.getEntriesByName('first-contentful-paint')[0].startTime, rows: performance.now() }));
  say('first paint', `${paint.toFixed(0)} ms`);
  say('first rows drawn', `${rows.toFixed(0)} ms`);
  await again.page.waitForFunction((n) => Number(document.querySelector('table.market')?.getAttribute('aria-rowcount')) > n, COINS);
  const { all, bytes } = await again.page.evaluate(() => ({
    all: performance.now(),
    bytes: performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/market')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  }));
  say(`all of ${COINS} coins there`, `${all.toFixed(0)} ms`);
  say('bytes of them that were sent', `${(bytes / 1000).toFixed(0)} kB`);

  // from the click to the frame behind what it changed
  const act = (selector, n) => again.page.evaluate(async ([selector, n]) => {
    const took = [];
    for (let i = 0; i < n; i += 1) {
      const start = performance.now();
      document.querySelector(selector).click();
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      took.push(performance.now() - start);
    }
    return took;
  }, [selector, n]);
  say('sort by price, until it is drawn', `${median(await act('th.price button', 8)).toFixed(0)} ms`);
  say('sort by name, until it is drawn', `${median(await act('th.coin button', 8)).toFixed(0)} ms`);
  say('only those that rose, and all again', `${median(await act('.tools .choice button:nth-child(2)', 1)).toFixed(0)} ms`);
  await act('.tools .choice button:nth-child(1)', 1);
  const frames = await again.page.evaluate(async () => {
    const took = [];
    let before = performance.now();
    for (let i = 0; i < 240; i += 1) {
      scrollBy(0, 700);
      await new Promise(requestAnimationFrame);
      took.push(performance.now() - before);
      before = performance.now();
    }
    return took.sort((a, b) => a - b);
  });
  say('a frame while scrolling 700 px each: half / 99 of 100 within', `${frames[120].toFixed(0)} / ${frames[237].toFixed(0)} ms`);
  const heap = await again.page.evaluate(() => performance.memory?.usedJSHeapSize ?? NaN);
  say('memory of the page', `${(heap / 1e6).toFixed(0)} MB`);
  await again.check();
  await again.close();
  await check().catch(() => undefined);
}

async function lighthouse(url) {
  const where = process.env.GECKOTAPE_LIGHTHOUSE;
  if (!where) return say('Lighthouse', 'not asked for: GECKOTAPE_LIGHTHOUSE names no folder that has it');
  const from = createRequire(`${where}/`);
  const { default: run } = await import(pathToFileURL(from.resolve('lighthouse')).href);
  const { launch: launchChrome } = await import(pathToFileURL(from.resolve('chrome-launcher')).href);
  const chrome = await launchChrome({ chromePath: CHROMIUM, chromeFlags: ['--headless=new', ...FLAGS] });
  try {
    const pages = process.argv.length > 2 ? process.argv.slice(2) : ['market', 'coin/bitcoin', 'pipeline', 'history'];
    for (const page of pages) {
      for (const formFactor of ['desktop', 'mobile']) {
        const screenEmulation = formFactor === 'desktop' ? { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1, disabled: false } : undefined;
        const throttling = formFactor === 'desktop' ? { rttMs: 40, throughputKbps: 10240, cpuSlowdownMultiplier: 1, requestLatencyMs: 0, downloadThroughputKbps: 0, uploadThroughputKbps: 0 } : undefined;
        const result = await run(`${url}#/${page}`, { port: chrome.port, logLevel: 'error', formFactor, screenEmulation, throttling, onlyCategories: ['performance', 'accessibility', 'best-practices'] });
        const scores = Object.values(result.lhr.categories).map((each) => `${each.title} ${Math.round(each.score * 100)}`);
        say(`Lighthouse, ${page}, ${formFactor}`, scores.join(', '));
        const bad = Object.values(result.lhr.audits).filter((audit) => audit.score !== null && audit.score < 0.9 && audit.scoreDisplayMode !== 'informative');
        if (process.env.VERBOSE) for (const audit of bad) say(`  ${audit.id}`, `${audit.score} ${audit.displayValue ?? ''} ${(audit.details?.items ?? []).slice(0, 3).map((item) => item.node?.selector ?? '').join(' ')}`);
      }
    }
  } finally {
    await chrome.kill();
  }
}

sizes();
// no poll while a page is measured: what it costs would be of some runs and not of others
const collector = await makeCollector('  all:\n    all: true\n    every: 30m', ['--coins', String(COINS)]);
const browser = await launch();
try {
  await times(browser, collector.url);
} finally {
  await browser.close();
}
try {
  await lighthouse(collector.url);
} finally {
  await collector.remove();
}
