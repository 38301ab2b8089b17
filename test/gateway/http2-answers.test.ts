import { connect } from 'node:http2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gatewayConfigOf, listenerOf, serviceOf } from '../support/gateway-config.ts';
import { GatewayHarness, portOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

it('gives clients of HTTP/2 the answer without the fields that HTTP/2 has no place for', async () => {
  const upstream = await harness.upstream((_request, response) => {
    const ofConnection = ['HTTP2-Settings', 'AAMAAABkAAQAAP__', 'TE', 'gzip', 'Proxy-Connection', 'close'];
    response.writeHead(200, ['X-Kept', '1', ...ofConnection, 'Trailer', 'HTTP2-Settings']);
    response.write('answer');
    response.addTrailers([['HTTP2-Settings', 'AA']]);
    response.end();
  });
  const gateway = await harness.gateway(
    gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
      listeners: [listenerOf({ http2: true })],
    }),
  );
  const session = connect(`http://127.0.0.1:${portOf(gateway)}`);
  const answer = await new Promise<string>((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ':path': '/' });
    stream.on('error', reject);
    let text = '';
    stream.on('response', (headers) => {
      text += Object.keys(headers).join();
    });
    stream.on('data', (piece) => {
      text += ` ${piece}`;
    });
    stream.on('end', () => resolve(text));
  });
  session.destroy();
  expect(answer).toMatch(/^:status,x-request-id,.*x-kept.* answer$/);
  expect(answer).not.toMatch(/settings|te,|proxy/);
});
