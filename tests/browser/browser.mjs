// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, and pages that may not do what no page of ours may: complain on the console, break the
// policy, ask another host.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const fromWeb = createRequire(new URL('../../web/', import.meta.url));
const { chromium } = fromWeb('playwright-core');
const AXE = readFileSync(fromWeb.resolve('axe-core/axe.min.js'), 'utf8');

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/** A page and what it did wrong; `check()` fails on any of it, but for what `expected` matches. */
export async function open(browser, url, { width = 1280, height = 900, theme = 'dark', ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, ...options });
  const page = await context.newPage();
  const wrongs = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') wrongs.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => wrongs.push(`error: ${error.stack}`));
  page.on('request', (request) => {
    if (url !== 'about:blank' && !request.url().startsWith(new URL('/', url).href) && !/^(blob|data):/.test(request.url())) wrongs.push(`asked elsewhere: ${request.url()}`);
  });
  await page.addInitScript(() => {
    window.wrongs = [];
    window.shift = 0;
    window.shifts = [];
    document.addEventListener('securitypolicyviolation', (event) => window.wrongs.push(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries().filter((each) => !each.hadRecentInput)) {
        window.shift += entry.value;
        for (const { node, previousRect, currentRect } of entry.sources) {
          window.shifts.push(`${node?.nodeName} ${node?.className} ${previousRect.y} to ${currentRect.y}, ${entry.value.toFixed(3)}`);
        }
      }
    }).observe({ type: 'layout-shift', buffered: true });
  });
  await page.goto(url);
  page.setDefaultTimeout(60000);
  return {
    page,
    check: async (expected = /^$/) => {
      const all = [...wrongs, ...await page.evaluate(() => window.wrongs)].filter((wrong) => !expected.test(wrong));
      assert.deepEqual(all, []);
    },
    close: () => context.close(),
  };
}

/** What axe finds, a line each. */
export async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary.split('\n')[1] ?? ''}`));
}

/** How far things jumped by themselves (CLS), and which. */
export const jumps = (page) => page.evaluate(() => ({ shift: window.shift, shifts: window.shifts }));

/** What is wider than the window, and so would have to be scrolled sideways. */
export const overflow = (page) => page.evaluate(() => ({ inner: innerWidth, wide: document.documentElement.scrollWidth }));
