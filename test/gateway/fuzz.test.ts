import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sendBytes } from '../support/fuzz/fuzz-client.ts';
import { fuzzPlan, fuzzTimeoutMs, runBatches } from '../support/fuzz/fuzz-run.ts';
import {
  type FuzzedGateway,
  KEPT_TRAILERS,
  openFuzzedGateway,
  PREFIXES,
  SECRET_FREE,
} from '../support/fuzz/fuzzed-gateway.ts';
import { requestFrom } from '../support/fuzz/h1-requests.ts';
import { connectionFrom } from '../support/fuzz/h2-requests.ts';
import { problemOf, type StrictUpstream } from '../support/fuzz/received-request.ts';
import { openStrictH2Upstream } from '../support/fuzz/strict-h2-upstream.ts';
import { openStrictUpstream } from '../support/fuzz/strict-upstream.ts';
import { GatewayHarness } from '../support/gateway-harness.ts';

const PLAN = fuzzPlan(process.env);
const OPTIONS = { timeout: fuzzTimeoutMs(PLAN) };
const AT_A_TIME = 30;

let harness: GatewayHarness;
let upstreams: readonly StrictUpstream[];
let gateway: FuzzedGateway;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  const inspect = (request: Parameters<typeof problemOf>[0]) =>
    problemOf(request, { secretFree: SECRET_FREE, trailers: KEPT_TRAILERS });
  const h1 = await openStrictUpstream(inspect);
  const h2 = await openStrictH2Upstream(inspect);
  upstreams = [h1, h2];
  for (const each of upstreams) harness.onClose(() => each.close());
  gateway = await openFuzzedGateway(harness, { h1: h1.url, h2: h2.url });
});

afterEach(() => harness.close());

async function checkAll(): Promise<void> {
  expect(upstreams.flatMap(({ violations }) => violations)).toEqual([]);
  await gateway.checkUnharmed();
  await gateway.checkIdle();
}

describe('a gateway that gets random bytes from its clients', () => {
  it('over HTTP/1.1 survives, forwards nothing ambiguous and leaves nothing open', OPTIONS, async () => {
    await runBatches(PLAN, 20, async (random) => {
      const connections = Array.from({ length: AT_A_TIME }, () => {
        const requests = Array.from({ length: 1 + random.below(3) }, () => requestFrom(random, PREFIXES));
        return sendBytes(gateway.port, random.inPieces(Buffer.concat(requests)), random);
      });
      await Promise.all(connections);
      await checkAll();
    });
    for (const { requests } of upstreams) expect(requests()).toBeGreaterThan(20);
  });

  it('over HTTP/2 survives, forwards nothing ambiguous and leaves nothing open', OPTIONS, async () => {
    await runBatches(PLAN, 12, async (random) => {
      const connections = Array.from({ length: AT_A_TIME }, () =>
        sendBytes(gateway.port, random.inPieces(connectionFrom(random, PREFIXES)), random),
      );
      await Promise.all(connections);
      await checkAll();
    });
    for (const { requests } of upstreams) expect(requests()).toBeGreaterThan(20);
  });
});
