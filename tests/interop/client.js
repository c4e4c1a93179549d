// SPDX-License-Identifier: Apache-2.0
// The official client for node: makes the calls it is told on stdin, prints what came of each as a line of JSON.
//   node client.js BASE_URL KEY <<< '[{"method": "coins.markets.get", "words": [], "parameters": {"vs_currency": "usd"}}]'
'use strict';
const fs = require('fs');
const Coingecko = require('@coingecko/coingecko-typescript').default;

async function call(client, { method, words, parameters }) {
  const names = method.split('.');
  const last = names.pop();
  const owner = names.reduce((at, name) => at[name], client);
  try {
    const value = await owner[last](...words, ...(Object.keys(parameters).length ? [parameters] : []));
    return { value };
  } catch (error) {
    return { error: error.constructor.name, status: error.status, retry_after: error.headers?.get('retry-after'), body: error.error };
  }
}

async function main() {
  const [baseURL, key, plan] = process.argv.slice(2);
  const keys = plan === 'pro' ? { proAPIKey: key } : { demoAPIKey: key };
  const client = new Coingecko({ baseURL, maxRetries: 0, ...keys });
  for (const asked of JSON.parse(fs.readFileSync(0, 'utf8')))
    console.log(JSON.stringify(await call(client, asked)));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
