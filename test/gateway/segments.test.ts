import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SegmentSource } from '../../src/config/policies/segments.ts';
import { OTHER_INSTANCES, type Segments } from '../../src/core/domain/telemetry.ts';
import { MAX_DISCOVERED } from '../../src/gateway/limits.ts';
import { SegmentCounters } from '../../src/gateway/segment-counters.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

interface Counts {
  readonly total: number;
  readonly bad: number;
  readonly distinctBad: number;
  readonly timed: number;
}

/** What all summaries together say of a segment of v1. */
function counted(dimension: string, value: string): Counts {
  const sum = { total: 0, bad: 0, distinctBad: 0, timed: 0 };
  for (const { versions } of harness.stream.summaries) {
    const segment = versions.v1?.segments?.[dimension]?.[value];
    if (segment === undefined) continue;
    sum.total += segment.total;
    sum.bad += segment.bad;
    sum.distinctBad += segment.distinctBad ?? segment.bad;
    sum.timed += segment.latencyUs.reduce((all, each, at) => (at % 2 === 1 ? all + each : all), 0);
  }
  return sum;
}

function attempts(): number {
  return harness.stream.summaries.reduce(
    (sum, { versions }) =>
      sum + (versions.v1?.attempts.outcomes.status2xx ?? 0) + (versions.v1?.attempts.outcomes.status5xx ?? 0),
    0,
  );
}

describe('segments of a service', () => {
  it('count attempts by endpoint, route and method, failures of one key once as distinct', async () => {
    const well = await harness.upstream((_, response) => response.end('ok'));
    const sick = await harness.upstream((_, response) => response.writeHead(500).end());
    const segments: readonly SegmentSource[] = ['endpoint', 'route', 'method'];
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [well.url, sick.url] }, { segments })], {
        routes: [
          routeOf('orders', { name: 'list', retry: null, path: { kind: 'exact', path: '/list' } }),
          routeOf('orders', { name: 'order', retry: null, path: { kind: 'prefix', path: '/orders' } }),
        ],
      }),
    );
    for (let i = 0; i < 6; i += 1) await call(gateway, '/list', { headers: { 'x-user-id': 'ann' } });
    for (let i = 0; i < 4; i += 1) await call(gateway, `/orders/${i}`, { method: 'DELETE' });
    for (const method of ['PROPFIND', 'MKCOL']) {
      await raw(portOf(gateway), `${method} /orders/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    }
    await eventually(() => attempts() === 12);
    expect(counted('endpoint', well.url)).toEqual({ total: 6, bad: 0, distinctBad: 0, timed: 6 });
    expect(counted('endpoint', sick.url)).toMatchObject({ total: 6, bad: 6, timed: 6 });
    expect(counted('route', 'list')).toEqual({ total: 6, bad: 3, distinctBad: 1, timed: 6 });
    expect(counted('route', 'order').total).toBe(6);
    expect(['GET', 'DELETE', 'PROPFIND', 'other'].map((each) => counted('method', each).total)).toEqual([
      6, 4, 0, 2,
    ]);
  });

  it('count by a field only the values that are listed, so that no client makes up segments', async () => {
    const upstream = await harness.named('v1');
    const segments: readonly SegmentSource[] = [{ name: 'region', header: 'x-region', values: ['eu', 'us'] }];
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] }, { segments })]),
    );
    for (const region of ['eu', 'eu', 'us', 'mars', '__proto__'])
      await call(gateway, '/', { headers: { 'x-region': region } });
    await call(gateway, '/');
    await eventually(() => attempts() === 6);
    const names = harness.stream.summaries.flatMap(({ versions }) =>
      Object.keys(versions.v1?.segments?.region ?? {}),
    );
    expect([...new Set(names)].sort()).toEqual(['eu', 'us']);
    expect([counted('region', 'eu').total, counted('region', 'us').total]).toEqual([2, 1]);
  });

  it('are left out of the report where none are wanted', async () => {
    const upstream = await harness.named('v1');
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] }, { segments: [] })]),
    );
    await call(gateway, '/');
    await eventually(() => attempts() === 1);
    expect(harness.stream.summaries.every(({ versions }) => versions.v1?.segments === undefined)).toBe(true);
  });
});

describe('a dimension of too many values', () => {
  it('says in metrics and telemetry how many attempts are in no segment', async () => {
    const upstream = await harness.named('v1');
    const routes = Array.from({ length: 34 }, (_, at) =>
      routeOf('orders', { name: `r${at}`, path: { kind: 'exact', path: `/${at}` } }),
    );
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] }, { segments: ['route'] })], { routes }),
    );
    for (let at = 0; at < 34; at += 1) await call(gateway, `/${at}`);
    await eventually(() => attempts() === 34);
    const leftOut = harness.stream.summaries.map(({ versions }) => versions.v1?.leftOut?.route ?? 0);
    expect(leftOut.reduce((sum, each) => sum + each, 0)).toBe(2);
    expect((await admin(gateway, '/metrics')).body).toContain(
      'sluice_segment_attempts_left_out_total{service="orders",version="v1",dimension="route"} 2\n',
    );
  });
});

describe('the counters of segments', () => {
  const valuesOf = (segments: Segments | undefined): readonly string[] => Object.keys(segments?.route ?? {});

  it('tell a bounded number of values apart, and count the attempts at others', () => {
    const counters = new SegmentCounters();
    for (let i = 0; i < 100; i += 1) counters.note('route', `r${i}`, false, false, 1);
    expect(valuesOf(counters.take())).toHaveLength(32);
    expect([counters.takeLeftOut(), counters.takeLeftOut()]).toEqual([{ route: 68 }, undefined]);
    counters.note('route', 'r99', false, false, 1);
    expect(counters.takeLeftOut()).toEqual({ route: 1 });
    expect([...counters.leftOut]).toEqual([['route', 69]]);
  });

  it('tell as many instances apart as discovery may find, and count those beyond as one', () => {
    const counters = new SegmentCounters();
    for (let i = 0; i < MAX_DISCOVERED + 5; i += 1) {
      counters.note('endpoint', `http://10.0.0.${i}:80`, i >= MAX_DISCOVERED, false, 20);
    }
    const instances = counters.take()?.endpoint ?? {};
    expect(Object.keys(instances)).toHaveLength(MAX_DISCOVERED + 1);
    expect(instances[OTHER_INSTANCES]).toMatchObject({ total: 5, bad: 5 });
    expect(OTHER_INSTANCES).toContain(`${MAX_DISCOVERED}`);
    expect(counters.takeLeftOut()).toEqual({ endpoint: 5 });
  });

  it('give the place of a value up that has been idle for ten minutes, and not before', () => {
    const counters = new SegmentCounters();
    for (let i = 0; i < 32; i += 1) counters.note('route', `r${i}`, false, false, 1);
    for (let second = 0; second < 600; second += 1) counters.take();
    counters.note('route', 'late', false, false, 1);
    expect(valuesOf(counters.take())).toEqual([]);
    counters.take();
    counters.note('route', 'late', false, false, 1);
    expect(valuesOf(counters.take())).toEqual(['late']);
  });

  it('report latencies eight bins to one, none of them longer than it was', () => {
    const counters = new SegmentCounters();
    for (let ms = 100; ms < 200; ms += 1) counters.note('route', 'a', false, false, ms);
    const wire = counters.take()?.route?.a?.latencyUs ?? [];
    const bins = wire.filter((_, at) => at % 2 === 0);
    expect(bins.every((bin) => bin % 8 === 0)).toBe(true);
    expect(new Set(bins).size).toBe(bins.length);
    expect(bins.length).toBeLessThanOrEqual(9);
  });
});
