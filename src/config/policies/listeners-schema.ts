/**
 * The shape of listeners as written in YAML: address, TLS, what plain requests get.
 * Defaults, paths and relations are in `listeners.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, listenAddress } from '../primitives.ts';

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
});

export type ListenerYaml = z.output<typeof listenerShape>;
