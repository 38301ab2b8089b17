/**
 * Where the endpoints of a version are: their shapes in YAML, from fixed addresses to names and files that are
 * looked up while running. No data plane here, no defaults that depend on other keys.
 * @module
 */

import * as z from 'zod';
import { duration, name, origin, percentBp } from '../primitives.ts';
import { tlsField } from './upstream-tls.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

export const MAX_ENDPOINTS = 256;

export const zoneField = name;

const weight = z.int().min(1).max(1_000).default(1).meta({
  description: 'Share of the attempts, relative to the other endpoints of the version. Default 1.',
});

const zone = zoneField.default('').meta({ description: 'Where it runs. Default: unknown.' });

const priority = z.int().min(0).max(16).default(0).meta({
  description: 'Used only when fewer than half of those with a lower number are well. Default 0.',
});

const fixed = z.strictObject({ url: origin, weight, zone, priority });

/** One endpoint with a fixed address. */
export const endpointShape = z.union([origin, fixed]).transform((value) => {
  const written = typeof value === 'string' ? { url: value, weight: 1, zone: '', priority: 0 } : value;
  return { ...written, servername: '' };
});

const refresh = duration(100, HOUR).optional().meta({
  description: 'Asked again after the TTL of the answer, at most after this. Default 30s.',
});

const scheme = z.enum(['http', 'https']).default('http');

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;

const byDns = z.strictObject({
  dns: z
    .string({ error: 'expected a name and a port such as orders.internal:9001' })
    .transform((text, context) => {
      const at = text.lastIndexOf(':');
      const port = Number(text.slice(at + 1));
      const host = text.slice(0, Math.max(0, at));
      if (HOST.test(host) && /^\d+$/.test(text.slice(at + 1)) && port > 0 && port < 65_536) {
        return { host, port };
      }
      context.addIssue({
        code: 'custom',
        message: `expected a name and a port such as orders.internal:9001, got "${text}"`,
      });
      return z.NEVER;
    })
    .meta({ description: 'Name and port; every A and AAAA record is an endpoint.' }),
  family: z
    .enum(['any', 'ipv4', 'ipv6'])
    .default('any')
    .meta({ description: 'Which records are asked for. Default any.' }),
  scheme,
  refresh,
  weight,
  zone,
  priority,
});

const bySrv = z.strictObject({
  srv: z
    .string()
    .regex(HOST, { error: 'expected the name of SRV records such as _http._tcp.orders.internal' })
    .meta({ description: 'Name of SRV records: targets, ports, priorities and weights.' }),
  scheme,
  refresh,
  zone,
});

const byFile = z.strictObject({
  file: z.string().min(1).meta({
    description: 'JSON or YAML file with a list of endpoints, relative to this file; watched for changes.',
  }),
});

const source = z.union([endpointShape, byDns, bySrv, byFile], {
  error: ({ input }) =>
    typeof input === 'string'
      ? 'expected an origin such as http://127.0.0.1:9001 (no path, query or credentials)'
      : 'expected a URL such as http://127.0.0.1:9001, or a map with one of url, dns, srv, file',
});

export const endpointsField = z
  .union([z.array(source).min(1).max(MAX_ENDPOINTS), byDns, bySrv, byFile])
  .transform((value) => (Array.isArray(value) ? value : [value]));

export const protocolField = z
  .enum(['http1', 'h2'])
  .optional()
  .meta({ description: 'What endpoints speak: HTTP/1.1, or HTTP/2. Default http1.' });

export const versionShape = z.strictObject({
  endpoints: endpointsField,
  tls: tlsField,
  protocol: protocolField,
});

export const localZoneField = z
  .union([
    z.strictObject({
      enough: percentBp
        .refine((bp) => bp > 0, { error: 'expected more than 0%' })
        .optional()
        .meta({
          description:
            'With this share of the endpoints in its zone well, a gateway stays there with all attempts; with less, with as much less. Default 70%.',
        }),
    }),
    z.literal(false),
  ])
  .optional()
  .meta({ description: 'Prefers endpoints in the zone of the gateway; false for not. Default: on.' });

export const resolverField = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$|^[0-9a-fA-F]*:[0-9a-fA-F:.]+$/, {
            error: 'expected an address such as 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53',
          }),
      )
      .min(1)
      .max(8)
      .optional()
      .meta({ description: 'DNS servers that are asked. Default: those of the system.' }),
    timeout: duration(10, 60 * SECOND)
      .optional()
      .meta({ description: 'Per question and server. Default 2s.' }),
  })
  .optional()
  .meta({ description: 'How names of endpoints are looked up.' });

export type VersionYaml = z.output<typeof versionShape>;
export type SourceYaml = VersionYaml['endpoints'][number];
export type LocalZoneYaml = z.output<typeof localZoneField>;
export type ResolverYaml = z.output<typeof resolverField>;
