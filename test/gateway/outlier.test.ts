import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const OUTLIER = { consecutive: 3, baseMs: 60_000, maxMs: 60_000, maxShare: 0.5 };

function failing(status: number): Promise<Upstream> {
  return harness.upstream((_request, response) => response.writeHead(status).end('bad'));
}

async function served(bad: Upstream, calls: number, changes = {}) {
  const good = await harness.named('good');
  const service = serviceOf('orders', { v1: [bad.url, good.url] }, { outlier: OUTLIER, ...changes });
  const gateway = await harness.gateway(gatewayConfigOf([service]));
  const bodies: string[] = [];
  for (let i = 0; i < calls; i += 1) bodies.push((await call(gateway, '/')).body);
  return { gateway, bodies, config: gatewayConfigOf([service]) };
}

describe('outlier ejection', () => {
  it('takes an endpoint that keeps failing out of rotation, over a reload too, and shows it', async () => {
    const bad = await failing(503);
    const { gateway, bodies, config } = await served(bad, 20);
    expect(bodies.filter((body) => body === 'bad')).toHaveLength(3);
    const metrics = async () => (await admin(gateway, '/metrics')).body;
    const labels = `{service="orders",version="v1",endpoint="${bad.url}"}`;
    expect(await metrics()).toContain(`sluice_endpoint_ejected${labels} 1`);
    expect(await metrics()).toContain(`sluice_endpoint_ejections_total${labels} 1`);
    await gateway.reload(config);
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('good');
  });

  it('lets it back in when the time is over', async () => {
    const bad = await failing(502);
    const { gateway } = await served(bad, 10, { outlier: { ...OUTLIER, baseMs: 100 } });
    const before = bad.seen.length;
    const deadline = performance.now() + 5_000;
    while (bad.seen.length === before && performance.now() < deadline) await call(gateway, '/');
    expect(bad.seen.length).toBeGreaterThan(before);
  });

  it('does not mind 500: that is an answer of the application', async () => {
    const { bodies } = await served(await failing(500), 20);
    expect(bodies.filter((body) => body === 'bad')).toHaveLength(10);
  });

  it('does not happen unless asked for', async () => {
    const { bodies } = await served(await failing(503), 20, { outlier: null });
    expect(bodies.filter((body) => body === 'bad')).toHaveLength(10);
  });
});

describe('onlyIfFirstAttemptUnder', () => {
  it.each([
    ['retries a quick failure', 0, 2],
    ['does not retry a slow one', 120, 1],
  ])('%s', async (_title, delayMs, attempts) => {
    const upstream = await harness.upstream((_request, response) => {
      setTimeout(() => response.writeHead(503).end(), delayMs);
    });
    const retry = {
      attempts: 1,
      on: ['503'] as const,
      baseMs: 1,
      maxMs: 1,
      bufferBytes: 0,
      onlyIfFirstAttemptUnderMs: 100,
    };
    const routes = [routeOf('orders', { retry })];
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], { routes }),
    );
    await call(gateway, '/');
    expect(upstream.seen).toHaveLength(attempts);
  });
});
