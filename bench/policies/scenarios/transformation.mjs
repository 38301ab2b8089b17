/**
 * Scenarios of docs/policies/transformation.md: what is changed on the way in and on the way out, but for what is in
 * bodies.
 * @module
 */

import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { LARGE_PAGE, MISSING, PAGE } from '../pages.mjs';
import { get, scenario } from '../scenario.mjs';

const DOC = 'transformation.md';
/** As a file writes it. */
const variable = (name) => `$\{${name}}`;
const route = (policies) => () => ({ route: policies });
const ORIGIN = 'https://shop.example';
const CORS = { origins: [ORIGIN, 'https://*.shop.example'], credentials: true };
const compressed = (id, label, path, coding, unpack, page) =>
  scenario({
    id,
    label,
    doc: `${DOC}#compression`,
    on: route({ compress: { encodings: [coding], minBytes: 512 } }),
    ask: get(path, { 'accept-encoding': coding }),
    expect: {
      off: { body: page },
      on: {
        body: (bytes) => unpack(bytes).toString() === page,
        head: new RegExp(`\\r\\ncontent-encoding: ${coding}`, 'i'),
      },
    },
  });

export const TRANSFORMATION = [
  scenario({
    id: 'cors',
    label: 'CORS, with an Origin',
    doc: `${DOC}#cors`,
    on: route({ cors: CORS }),
    ask: get('/page', { origin: ORIGIN }),
    expect: { on: { head: /\r\naccess-control-allow-origin: https:\/\/shop\.example/i } },
  }),
  scenario({
    id: 'cors-preflight',
    label: 'CORS, preflight (off: asks the upstream)',
    doc: `${DOC}#cors`,
    on: route({ cors: CORS }),
    ask: () => () => ({
      method: 'OPTIONS',
      path: '/page',
      headers: { origin: ORIGIN, 'access-control-request-method': 'GET' },
      body: '',
    }),
    expect: { on: { statuses: [204], body: null, head: /\r\naccess-control-allow-methods:/i } },
  }),
  scenario({
    id: 'headers',
    label: 'header edits, two each way',
    doc: `${DOC}#header-edits`,
    on: route({
      headers: {
        request: {
          set: { 'x-route': variable('route.name'), 'x-client': variable('client.ip') },
          remove: ['cookie'],
        },
        response: { set: { 'x-served-by': variable('service.version') }, remove: ['server'] },
      },
    }),
    expect: { on: { head: /\r\nx-served-by: v1/i } },
  }),
  scenario({
    id: 'rewrite-prefix',
    label: 'path rewrite, prefix',
    doc: `${DOC}#path-rewrite`,
    off: route({ match: { prefix: '/old' } }),
    on: route({ match: { prefix: '/old' }, rewrite: { prefix: '/new' } }),
    ask: get('/old/7?page=2'),
  }),
  scenario({
    id: 'rewrite-template',
    label: 'path rewrite, template and query',
    doc: `${DOC}#path-rewrite`,
    off: route({ match: { path: '/old/{id}' } }),
    on: route({
      match: { path: '/old/{id}' },
      rewrite: { path: '/new/items/{id}', query: { keep: ['page', 'q'], rename: { q: 'search' } } },
    }),
    ask: get('/old/7?page=2&q=shoe&x=1'),
  }),
  scenario({
    id: 'rewrite-regex',
    label: 'path rewrite, RE2 pattern',
    doc: `${DOC}#path-rewrite`,
    on: route({ rewrite: { regex: { pattern: '^/old/([a-z]+)/(.*)$', to: '/$2/$1' } } }),
    ask: get('/old/shoes/7'),
  }),
  scenario({
    id: 'status',
    label: 'status mapping, of a 404',
    doc: `${DOC}#status-mapping`,
    on: route({ status: { 404: { to: 410, title: 'This page is gone' } } }),
    ask: get('/missing'),
    expect: {
      off: { statuses: [404], body: MISSING },
      on: { statuses: [410], body: (bytes) => JSON.parse(bytes.toString()).title === 'This page is gone' },
    },
  }),
  compressed('gzip', 'gzip, 1 KiB', '/page', 'gzip', gunzipSync, PAGE),
  compressed('brotli', 'Brotli, 1 KiB', '/page', 'br', brotliDecompressSync, PAGE),
  compressed('brotli-large', 'Brotli, 16 KiB', '/large', 'br', brotliDecompressSync, LARGE_PAGE),
];
