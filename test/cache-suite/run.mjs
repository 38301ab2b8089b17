/**
 * Runs one edition of the public HTTP cache tests against a cache and prints one JSON row per test.
 * Usage: node run.mjs <folder of the suite> <base URL of the cache>
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, base] = process.argv.slice(2);
const newer = existsSync(`${folder}/test-engine`);
const load = (path) => import(pathToFileURL(path).href);
const print = console.log;
console.log = () => {};

const { default: suites } = await load(`${folder}/tests/index.mjs`);
const { runTests, getResults } = await load(
  newer ? `${folder}/test-engine/client/runner.mjs` : `${folder}/client/runner.mjs`,
);
/** All at once: most of the time is pauses that let responses grow old. */
const AT_ONCE = 200;
if (newer) await runTests(suites, false, base, AT_ONCE);
else {
  // The older edition is given its fetch, and needs one that adds no fields of its own.
  const fetch = createRequire(`${folder}/package.json`)('node-fetch');
  await runTests(suites, fetch, false, base, AT_ONCE);
}

const results = getResults();
const tests = suites.flatMap((suite) => suite.tests.map((test) => ({ ...test, suite: suite.id })));
const byId = new Map(tests.map((test) => [test.id, test]));
/** As the suite's own pages count: a test whose prerequisite fails does not pass. */
const passes = (id) =>
  results[id] === true && (byId.get(id)?.depends_on ?? []).every((needed) => passes(needed));

const rows = tests
  .filter((test) => test.browser_only !== true)
  .map(({ suite, id, kind = 'required' }) => ({ suite, id, kind, passed: passes(id), result: results[id] }));
print(JSON.stringify(rows));
process.exit(0);
