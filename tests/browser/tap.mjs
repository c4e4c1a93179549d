// SPDX-License-Identifier: Apache-2.0
// Cases one after the other, in TAP. A case is a function whose name is a sentence; by hand, an argument chooses those whose names have it.

export async function runCases(all) {
  const cases = all.filter((run) => run.name.includes(process.argv[2] ?? ''));
  console.log(`1..${cases.length}`);
  let failed = 0;
  for (const [i, run] of cases.entries()) {
    try {
      await run();
      console.log(`ok ${i + 1} ${run.name}`);
    } catch (error) {
      failed += 1;
      console.log(String(error.stack ?? error).replace(/^/gm, '# '));
      console.log(`not ok ${i + 1} ${run.name}`);
    }
  }
  return failed;
}
