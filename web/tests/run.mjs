// SPDX-License-Identifier: Apache-2.0
// Unit tests of what needs no browser: each file here is bundled and run; TAP.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { runCases } from '../../tests/browser/tap.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
process.env.GECKOTAPE_ROOT = fileURLToPath(new URL('../..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'geckotape-web-'));
let failed = 1;
try {
  const files = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
  await build({
    entryPoints: files.map((name) => join(here, name)), outdir: out, outExtension: { '.js': '.mjs' }, bundle: true, format: 'esm', platform: 'node',
    target: 'node18', jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning', keepNames: true,
  });
  const cases = [];
  for (const name of files) cases.push(...Object.values(await import(pathToFileURL(join(out, name.replace(/\.ts$/, '.mjs'))).href)));
  failed = await runCases(cases);
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
