/**
 * The shape of listeners as written in YAML: address, TLS, what plain requests get.
 * Defaults, paths and relations are in `listeners.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, listenAddress } from '../primitives.ts';
import { ipField, ranges } from './ip.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

const file = z.string().min(1);

const subject = z
  .string()
  .regex(/^[A-Za-z0-9.]+=.+$/, { error: 'expected attributes of a subject such as CN=orders,O=Shop' });

const altName = z.string().regex(/^(?:DNS|URI|IP|email):.+$/, {
  error: 'expected an alternative name such as DNS:*.jobs.test or URI:spiffe://test/orders',
});

const clientCertificates = z.strictObject({
  ca: file.meta({ description: 'PEM file of the authorities whose certificates are accepted.' }),
  mode: z.enum(['required', 'optional']).default('required').meta({
    description: 'Whether clients without a certificate are let in. Default required.',
  }),
  allow: z
    .strictObject({
      subjects: z.array(subject).min(1).max(256).optional(),
      altNames: z.array(altName).min(1).max(256).optional(),
    })
    .optional()
    .meta({
      description:
        'Certificates that are accepted, by subject or alternative name. Default: every valid one.',
    }),
});

const tls = z.strictObject({
  certificates: z
    .array(
      z.strictObject({
        cert: file.meta({ description: 'PEM file of the certificate, followed by intermediate ones.' }),
        key: file.meta({ description: 'PEM file of its private key.' }),
      }),
    )
    .min(1)
    .max(256)
    .meta({
      description: 'Chosen by the name that the client asks for (SNI); the first serves all other names.',
    }),
  minVersion: z
    .enum(['1.2', '1.3'])
    .default('1.2')
    .meta({ description: 'Oldest TLS version that is spoken. Default 1.2; 1.3 is preferred.' }),
  clientCertificates: clientCertificates.optional(),
});

const hsts = z.union([
  z.boolean(),
  z.strictObject({
    maxAge: duration(0, 3650 * DAY)
      .optional()
      .meta({ description: 'Default 365d.' }),
    includeSubDomains: z.boolean().default(false),
    preload: z.boolean().default(false),
  }),
]);

const limits = z.strictObject({
  maxConnections: z.int().min(1).max(1_000_000).optional().meta({
    description: 'Open connections; further ones are closed at once. Default 16384.',
  }),
  maxHeaderBytes: z.int().min(1_024).max(1_048_576).optional().meta({
    description: 'Request line and fields together; more gets 431. Default 16384.',
  }),
  maxHeaders: z.int().min(1).max(1_000).optional().meta({
    description: 'Fields of a request; more get 431. Default 100.',
  }),
  maxUriLength: z.int().min(16).max(1_048_576).optional().meta({
    description: 'Bytes of the request target; more get 414. Default 8192.',
  }),
  headersTimeout: duration(100, 5 * MINUTE)
    .optional()
    .meta({
      description: 'Until the request head is there; over TLS half of it is for the handshake. Default 10s.',
    }),
  requestTimeout: duration(100, DAY)
    .optional()
    .meta({ description: 'Until the whole request is there. Default 5m.' }),
  keepAlive: duration(1, 60 * MINUTE)
    .optional()
    .meta({ description: 'An idle connection is closed after this. Default 75s.' }),
  minBytesPerSecond: z.int().min(0).max(1_048_576).optional().meta({
    description: 'A body that comes slower gets 408; 0 for none. Default 240.',
  }),
  grace: duration(0, 5 * MINUTE)
    .optional()
    .meta({ description: 'How long a body may fall behind that speed. Default 5s.' }),
  minReadBytesPerSecond: z.int().min(0).max(1_048_576).optional().meta({
    description:
      'A client that takes its response slower is cut off; 0 for none. Event streams, gRPC and upgrades are exempt. Default 1000.',
  }),
  readGrace: duration(0, 5 * MINUTE)
    .optional()
    .meta({ description: 'How long a client may fall behind that speed. Default 30s.' }),
});

const proxyProtocol = z.strictObject({
  from: ranges.meta({
    description: 'Addresses and CIDR ranges of the balancers; connections from elsewhere are closed.',
  }),
  timeout: duration(10, MINUTE).optional().meta({ description: 'Until the header is there. Default 5s.' }),
});

export const listenerShape = z.strictObject({
  address: listenAddress,
  tls: tls.optional().meta({ description: 'Speaks https. Default: plain http.' }),
  hsts: hsts.optional().meta({
    description:
      'Strict-Transport-Security on every response (RFC 6797): true or its settings. Default: none.',
  }),
  redirect: z
    .union([z.literal('https'), z.strictObject({ port: z.int().min(1).max(65_535) })], {
      error: 'expected https, or { port: 8443 }',
    })
    .optional()
    .meta({ description: 'Requests over plain http are sent to https (308), to 443 or another port.' }),
  http2: z.boolean().optional().meta({
    description:
      'Speaks HTTP/2 beside HTTP/1.1: over TLS by ALPN, else to clients that know it. Default false.',
  }),
  ip: ipField,
  proxyProtocol: proxyProtocol.optional().meta({
    description:
      'Every connection starts with a PROXY header (version 1 or 2) that names the client. Default: none does.',
  }),
  limits: limits.optional().meta({ description: 'What one client may take of the listener.' }),
});

export type ListenerYaml = z.output<typeof listenerShape>;
