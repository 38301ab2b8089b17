import { connect as connectH2 } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fuzzPlan, fuzzTimeoutMs, runBatches } from '../support/fuzz/fuzz-run.ts';
import { type FuzzedGateway, openFuzzedGateway } from '../support/fuzz/fuzzed-gateway.ts';
import { markOf, namesAnother } from '../support/fuzz/hostile-answers.ts';
import {
  openHostileH2Upstream,
  openHostileUpstream,
  problemOfAnswer,
} from '../support/fuzz/hostile-upstream.ts';
import { Seeded } from '../support/fuzz/seeded.ts';
import { GatewayHarness, raw } from '../support/gateway-harness.ts';

const PLAN = fuzzPlan(process.env);
const OPTIONS = { timeout: fuzzTimeoutMs(PLAN) };
const AT_A_TIME = 20;
const ASKED = ['', '/json', '/xml', '/keyed', '/small', '/h2', '/h2/json'];

let harness: GatewayHarness;
let gateway: FuzzedGateway;
let random: Seeded;
let asked = 0;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  random = new Seeded(PLAN.seed);
  const h1 = await openHostileUpstream(harness, () => random);
  const h2 = await openHostileH2Upstream(harness, () => random);
  gateway = await openFuzzedGateway(harness, { h1, h2, goodPath: '/good' });
});

afterEach(() => harness.close());

/** A sound request for a path of its own, which its answer has to name. */
async function ask(): Promise<string | null> {
  asked += 1;
  const mark = markOf(asked);
  const method = random.mostly(['GET', 'POST', 'HEAD']);
  const body = method === 'POST' ? '{"a":1}' : '';
  const fields = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const path = `${random.pick(ASKED)}/${mark}`;
  const head = `${method} ${path} HTTP/1.1\r\nHost: shop.test\r\nTE: trailers\r\nConnection: close\r\n${fields}\r\n`;
  const text = await raw(gateway.port, head + body);
  const problem = problemOfAnswer(text, mark);
  return problem === null ? null : `${problem} to ${path}: ${text}`;
}

/** The same over HTTP/2, where Node's own client is the strict reader. */
function askOverHttp2(count: number): Promise<string | null> {
  return new Promise((resolve) => {
    const session = connectH2(`http://127.0.0.1:${gateway.port}`);
    let problem: string | null = null;
    let open = count;
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET') problem = String(error);
    });
    session.on('close', () => resolve(problem));
    for (let number = 0; number < count; number += 1) {
      asked += 1;
      const mark = markOf(asked);
      const stream = session.request({ ':path': `${random.pick(ASKED)}/${mark}` });
      stream.on('error', () => {});
      stream.on('response', (headers) => {
        const named = String(headers['x-for'] ?? mark);
        if (namesAnother(named, mark)) problem = `${named} for ${mark}`;
      });
      stream.resume();
      stream.on('close', () => {
        open -= 1;
        if (open === 0) session.close();
      });
    }
  });
}

describe('a gateway with upstreams that answer with random bytes', () => {
  it(
    'survives, gives each client an answer of its own that is sound, and leaves nothing open',
    OPTIONS,
    async () => {
      await runBatches(PLAN, 8, async (seeded) => {
        random = seeded;
        const answers = Array.from({ length: AT_A_TIME }, () => ask());
        const problems = await Promise.all([...answers, askOverHttp2(8), askOverHttp2(3)]);
        expect(problems.filter((each) => each !== null)).toEqual([]);
        await gateway.checkUnharmed();
        await gateway.checkIdle();
      });
    },
  );
});
