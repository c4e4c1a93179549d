// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vite';

// `npm run dev` shows the pages of src/ over a collector that runs; GECKOTAPE_URL says where.
const collector = process.env.GECKOTAPE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './', // no path on the page begins with /: it works behind a proxy's prefix, too
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    outDir: process.env.GECKOTAPE_DIST ?? 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: URLs would need a wider policy
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: Object.fromEntries(['/api', '/metrics', '/readyz', '/healthz'].map((path) => [path, collector])),
  },
});
