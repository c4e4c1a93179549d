// SPDX-License-Identifier: Apache-2.0
// A collector on the simulator, in a directory of its own, on a free port.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const TOKEN = 'a-token-of-sixteen-or-more';

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

async function untilReady(url, running, patienceMs) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const answer = await fetch(`${url}readyz`).catch(() => null);
    if (answer?.ok) return;
    if (running.exitCode !== null) throw new Error(`it ended with ${running.exitCode}`);
    if (Date.now() > end) throw new Error(`not ready within ${patienceMs} ms: ${answer ? await answer.text() : 'no answer'}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function stop(running) {
  if (running === null || running.exitCode !== null) return;
  const gone = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGTERM');
  await gone;
}

/** `geckotape serve` over the store of a collector. @param options such as --at */
export async function makeServer(collector, options = []) {
  const port = await freePort();
  const server = { url: `http://127.0.0.1:${port}/`, log: '' };
  const env = { PATH: process.env.PATH, HOME: collector.home };
  const { sinks } = await (await fetch(`${collector.url}api/status`)).json();
  const args = ['serve', '--from', sinks.find(({ url }) => url.startsWith('sqlite:')).url, '--listen', `127.0.0.1:${port}`, ...options];
  const running = spawn(process.env.GECKOTAPE, args, { cwd: collector.home, env });
  for (const stream of [running.stdout, running.stderr]) stream.on('data', (text) => { server.log += text; });
  server.stop = () => stop(running);
  await untilReady(server.url, running, 60000).catch(async (error) => {
    await server.stop();
    throw new Error(`${error.message}\n${server.log}`);
  });
  return server;
}

/** @param jobs lines of YAML @param options of `geckotape run --simulate` */
export async function makeCollector(jobs, options) {
  const home = mkdtempSync(join(tmpdir(), 'geckotape-browser-'));
  const port = await freePort();
  writeFileSync(join(home, 'geckotape.yaml'), `jobs:\n${jobs}\nhttp:\n  listen: 127.0.0.1:${port}\n`);
  const collector = { url: `http://127.0.0.1:${port}/`, home, log: '', process: null };
  collector.start = async () => {
    const env = { PATH: process.env.PATH, HOME: home, GECKOTAPE_HTTP_TOKEN: TOKEN };
    collector.process = spawn(process.env.GECKOTAPE, ['run', '--simulate', ...options], { cwd: home, env });
    for (const stream of [collector.process.stdout, collector.process.stderr]) stream.on('data', (text) => { collector.log += text; });
    await untilReady(collector.url, collector.process, 120000).catch((error) => {
      throw new Error(`${error.message}\n${collector.log}`);
    });
  };
  collector.stop = () => stop(collector.process);
  collector.remove = async () => {
    await collector.stop();
    rmSync(home, { recursive: true, force: true });
  };
  await collector.start();
  return collector;
}
