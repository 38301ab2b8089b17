/**
 * What `/metrics` shows of listeners: certificates with their end, handshakes that failed.
 * @module
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Listener } from './listener.ts';

export function registerListeners(registry: Registry, listeners: () => readonly Listener[]): void {
  const registers = [registry];
  new Gauge({
    name: 'sluice_listener_certificate_not_after_seconds',
    help: 'Unix time at which a certificate that a listener shows expires.',
    labelNames: ['listener', 'certificate'],
    registers,
    collect() {
      this.reset();
      for (const each of listeners()) {
        for (const { file, notAfterMs } of each.facts.certificates())
          this.set({ listener: labelOf(each), certificate: file }, notAfterMs / 1000);
      }
    },
  });
  new Gauge({
    name: 'sluice_listener_certificates_stale',
    help: 'Certificates of a listener whose files have changed and cannot be used.',
    labelNames: ['listener'],
    registers,
    collect() {
      this.reset();
      for (const each of listeners()) {
        this.set({ listener: labelOf(each) }, each.facts.certificates().filter(({ stale }) => stale).length);
      }
    },
  });
  new Counter({
    name: 'sluice_listener_failed_handshakes_total',
    help: 'Connections whose TLS handshake failed.',
    labelNames: ['listener'],
    registers,
    collect: totals(listeners, ({ facts }) => facts.failedHandshakes),
  });
  new Gauge({
    name: 'sluice_listener_connections',
    help: 'Open connections of clients.',
    labelNames: ['listener'],
    registers,
    collect: totals(listeners, ({ facts }) => facts.connections()),
  });
  new Counter({
    name: 'sluice_listener_dropped_connections_total',
    help: 'Connections closed at once because there were too many.',
    labelNames: ['listener'],
    registers,
    collect: totals(listeners, ({ facts }) => facts.dropped()),
  });
  registerRefusedProxies(registry, listeners);
}

function registerRefusedProxies(registry: Registry, listeners: () => readonly Listener[]): void {
  new Counter({
    name: 'sluice_listener_refused_connections_total',
    help: 'Connections closed because they did not start with a sound PROXY header of a known balancer.',
    labelNames: ['listener', 'reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const each of listeners()) {
        for (const [reason, count] of Object.entries(each.facts.refusedProxies ?? {}))
          this.inc({ listener: labelOf(each), reason }, count);
      }
    },
  });
}

function totals(listeners: () => readonly Listener[], read: (listener: Listener) => number) {
  return function collect(this: Gauge | Counter): void {
    this.reset();
    for (const each of listeners()) this.inc({ listener: labelOf(each) }, read(each));
  };
}

function labelOf({ address: { host, port } }: Listener): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
