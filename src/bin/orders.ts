/**
 * Entry of the demo's `orders` service as a process of its own, for Compose and for trying things by hand.
 * @module
 */

import { parseArgs } from 'node:util';
import { listenAddress } from '../config/primitives.ts';
import { startOrders } from '../demo/orders-service.ts';
import { untilStopped } from './process-signals.ts';

const { values } = parseArgs({
  options: {
    version: { type: 'string', default: 'v1' },
    address: { type: 'string', default: '127.0.0.1:9001' },
    'error-rate': { type: 'string', default: '0' },
    'latency-ms': { type: 'string', default: '8' },
  },
});
const errorRate = Number(values['error-rate']);
const latencyMs = Number(values['latency-ms']);
if (!(errorRate >= 0 && errorRate <= 1))
  throw new RangeError(`--error-rate: expected 0 to 1, got ${values['error-rate']}`);
if (!(latencyMs >= 0))
  throw new RangeError(`--latency-ms: expected a number from 0, got ${values['latency-ms']}`);

const service = await startOrders(
  { version: values.version, errorRate, latencyMs },
  listenAddress.parse(values.address),
);
process.stdout.write(`orders ${values.version} at ${service.url}\n`);
await untilStopped(() => null);
await service.close();
