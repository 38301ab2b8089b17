/**
 * The demo's project: the repository's own gateway file and rollout with free ports and demo-scale holds, and a
 * second rollout of a faulty version. Comments and everything else stay as they are in the files.
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isMap, isSeq, parseDocument } from 'yaml';

export interface DemoPorts {
  readonly v1: string;
  readonly v2: string;
  readonly v3: string;
}

/** Minutes become seconds; samples shrink with them. A quantile still needs more requests than a rate. */
const HOLD = '5s';
const OVER = '30s';
const RATE_REQUESTS = 10;
const QUANTILE_REQUESTS = 200;

/** Writes the project below `dir` from the repository at `root`. */
export function writeDemoProject(root: string, dir: string, services: DemoPorts): void {
  mkdirSync(join(dir, 'proxy'), { recursive: true });
  mkdirSync(join(dir, 'rollouts'), { recursive: true });
  const gateway = parseDocument(readFileSync(join(root, 'proxy/gateway.yaml'), 'utf8'));
  gateway.setIn(['listeners'], [{ address: '127.0.0.1:0' }]);
  gateway.setIn(['admin', 'address'], '127.0.0.1:0');
  gateway.setIn(['accessLog'], { file: join(dir, 'access.log') });
  for (const [version, url] of Object.entries(services)) {
    gateway.setIn(['services', 'orders', 'versions', version], { endpoints: [url] });
  }
  writeFileSync(join(dir, 'proxy/gateway.yaml'), String(gateway));

  const healthy = parseDocument(readFileSync(join(root, 'rollouts/orders-v2.yaml'), 'utf8'));
  scaleDown(healthy);
  writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), String(healthy));

  healthy.setIn(['rollout'], 'orders-v3');
  healthy.setIn(['baseline'], 'v2');
  healthy.setIn(['canary'], 'v3');
  writeFileSync(join(dir, 'rollouts/orders-v3.yaml'), String(healthy));
}

function scaleDown(rollout: Document): void {
  for (const step of items(rollout, 'steps')) {
    if (!step.has('hold')) continue;
    step.set('hold', HOLD);
    step.set('requests', RATE_REQUESTS);
  }
  for (const rule of items(rollout, 'abort')) {
    const quantile = String(rule.get('when')).startsWith('p');
    rule.set('over', OVER);
    rule.set('requests', quantile ? QUANTILE_REQUESTS : RATE_REQUESTS);
  }
}

function items(rollout: Document, key: string) {
  const list = rollout.get(key);
  return isSeq(list) ? list.items.filter((item) => isMap(item)) : [];
}
