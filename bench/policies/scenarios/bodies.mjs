/**
 * Scenarios of docs/policies/transformation.md that reshape bodies, and of trailers behind them. Of requests the upstream
 * gives back what it got, so that the check sees what became of them.
 * @module
 */

import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { CODED_PATH, FRAMING_ECHO, LARGE_PAGE, PAGE, TRAILER_ECHO } from '../pages.mjs';
import { get, post, scenario } from '../scenario.mjs';
import { endpoint } from '../world.mjs';

const JSON_DOC = 'transformation.md#json-bodies';
const STREAM_DOC = 'transformation.md#large-json-bodies';
const XML_DOC = 'transformation.md#xml-bodies';
const REQUEST_RULES = { drop: ['internal'], set: { 'meta.source': 'edge' } };
const PAGE_RULES = { drop: ['internal', 'items[*].internal'], rename: { 'items[*].price': 'amount' } };
const ORDER_XML = `<order id="7">${Array.from({ length: 24 }, (_, n) => `<line qty="${n}">sku-00${n + 10}</line>`).join('')}</order>`;
const DIGEST = 'sha-256=:bench:';

const route = (policies) => () => ({ route: policies });
/** Both sides ask the upstream that gives bodies back. */
const echoed = (policies) => {
  const version = ({ ports }) => ({ version: { endpoints: [endpoint(ports.echo)] } });
  return { off: version, on: (world) => ({ ...version(world), ...policies }) };
};

/** The upstream got the page by the rules. */
function isEdited(bytes) {
  const { internal, meta, items } = JSON.parse(bytes.toString());
  return internal === undefined && meta.source === 'edge' && items.length > 0;
}

/** This page by the rules, with all its elements. */
function isReshaped(page) {
  const { items: before } = JSON.parse(page);
  return (bytes) => {
    const { internal, items } = JSON.parse(bytes.toString());
    return (
      internal === undefined &&
      items.length === before.length &&
      items.every((item, n) => item.internal === undefined && item.amount === before[n].price)
    );
  };
}

/** `chunked`: the client sends it so, and only then may it go on so. */
const jsonRequest = (
  id,
  label,
  { body, coding, chunked = false, rules = REQUEST_RULES, isRight = isEdited },
) =>
  scenario({
    id,
    label,
    doc: rules.stream === undefined ? JSON_DOC : STREAM_DOC,
    ...echoed({ route: { json: { request: rules } } }),
    ask: () => () => ({
      method: 'POST',
      path: '/page',
      headers: { 'content-type': 'application/json', ...(coding && { 'content-encoding': coding }) },
      body,
      ...(chunked && { trailers: {} }),
    }),
    expect: {
      // As it was sent: packed bodies pass in their coding.
      off: { body: (bytes) => bytes.equals(Buffer.from(body)) },
      on: {
        body: isRight,
        head: new RegExp(`\\r\\n${FRAMING_ECHO}: ${chunked ? 'chunked' : 'length'}\\r`, 'i'),
      },
    },
  });

/** `head`: how the body goes out, whole or as it passes. */
const jsonResponse = (id, label, { path, page, rules, head }) =>
  scenario({
    id,
    label,
    doc: rules.stream === undefined ? JSON_DOC : STREAM_DOC,
    on: route({ json: { response: rules } }),
    ask: get(path),
    expect: { off: { body: page }, on: { body: isReshaped(page), head } },
  });

const WHOLE = { rules: PAGE_RULES, head: /\r\ncontent-length: \d/i };

export const BODIES = [
  jsonRequest('json-request', 'JSON of a request, 1 KiB', { body: PAGE }),
  jsonRequest('json-request-gzip', 'JSON of a request, 1 KiB in gzip', {
    body: gzipSync(PAGE),
    coding: 'gzip',
  }),
  jsonRequest('json-request-brotli', 'JSON of a request, 1 KiB in Brotli', {
    body: brotliCompressSync(PAGE),
    coding: 'br',
  }),
  jsonRequest('json-request-large', 'JSON of a request, 16 KiB', {
    body: LARGE_PAGE,
    rules: PAGE_RULES,
    isRight: isReshaped(LARGE_PAGE),
  }),
  jsonRequest('json-request-stream', 'JSON of a request, 16 KiB in chunks, by element', {
    body: LARGE_PAGE,
    chunked: true,
    rules: { ...PAGE_RULES, stream: 'items[*]' },
    isRight: isReshaped(LARGE_PAGE),
  }),
  jsonResponse('json-response', 'JSON of a response, 1 KiB', { ...WHOLE, path: '/page', page: PAGE }),
  jsonResponse('json-large', 'JSON of a response, 16 KiB', { ...WHOLE, path: '/large', page: LARGE_PAGE }),
  jsonResponse('json-stream', 'JSON of a response, 16 KiB, by element', {
    path: '/large',
    page: LARGE_PAGE,
    rules: { ...PAGE_RULES, stream: 'items[*]' },
    head: /\r\ntransfer-encoding: chunked/i,
  }),
  scenario({
    id: 'json-response-gzip',
    label: 'JSON of a response, 1 KiB in gzip',
    doc: JSON_DOC,
    on: route({ json: { response: PAGE_RULES } }),
    ask: get(CODED_PATH),
    expect: {
      off: { body: (bytes) => gunzipSync(bytes).toString() === PAGE },
      on: { body: isReshaped(PAGE) },
    },
  }),
  scenario({
    id: 'xml-request',
    label: 'XML of a request to JSON, 1 KiB',
    doc: XML_DOC,
    ...echoed({
      route: { xml: { request: { root: 'order', arrays: ['line'], types: { 'line/@qty': 'number' } } } },
    }),
    ask: post('/page', ORDER_XML, { 'content-type': 'application/xml', accept: '*/*' }),
    expect: {
      off: { body: ORDER_XML },
      on: { body: (bytes) => JSON.parse(bytes.toString()).line[13]['@qty'] === 13 },
    },
  }),
  scenario({
    id: 'xml-response',
    label: 'JSON of a response to XML, 1 KiB',
    doc: XML_DOC,
    on: route({ xml: { response: { root: 'page' } } }),
    ask: get('/page', { accept: 'application/xml' }),
    expect: {
      on: { body: (bytes) => /<page\b.*<sku>sku-0013<\/sku>.*<\/page>/s.test(bytes.toString()) },
    },
  }),
  scenario({
    id: 'request-trailers',
    label: 'request trailers, passed on (off: dropped)',
    doc: 'upstreams.md#streaming',
    ...echoed({ service: { requestTrailers: ['x-digest'] } }),
    ask: () => () => ({
      method: 'POST',
      path: '/page',
      headers: { 'content-type': 'application/json', trailer: 'x-digest' },
      body: PAGE,
      trailers: { 'x-digest': DIGEST },
    }),
    expect: {
      off: { head: new RegExp(`\\r\\n${TRAILER_ECHO}: none\\r`, 'i') },
      on: { head: new RegExp(`\\r\\n${TRAILER_ECHO}: ${DIGEST}\\r`, 'i') },
    },
  }),
];
