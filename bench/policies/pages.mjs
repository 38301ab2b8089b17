/**
 * What the upstream of the policy bench answers: both it and the checks of answers take it from here. Knows no sockets.
 * @module
 */

const items = (count) =>
  Array.from({ length: count }, (_, n) => ({
    sku: `sku-${String(n).padStart(4, '0')}`,
    price: (n * 37) % 1000,
    note: ['plain', 'useful', 'well made', 'hard to find'][n % 4],
    internal: n,
  }));

const page = (count) => JSON.stringify({ id: 7, name: 'a page', items: items(count), internal: { cost: 3 } });

/** About 1 KiB of JSON. */
export const PAGE = page(14);
/** About 16 KiB of JSON. */
export const LARGE_PAGE = page(230);
export const MISSING = '{"error":"no such page"}';

/** Of `/flaky`: one answer in so many is a 503. */
export const FLAKY = 10;

/** The page in gzip, whatever the client takes. */
export const CODED_PATH = '/coded';
/** Field in which the upstream that gives bodies back says what it got as a trailer of the bench; `none` without. */
export const TRAILER_ECHO = 'x-got-digest';
/** And here, whether the body came `chunked` or by `length`. */
export const FRAMING_ECHO = 'x-got-framing';

/** Status and body by path; everything that is not here is the page. */
export function answerTo(path, nth) {
  if (path === '/large') return { status: 200, body: LARGE_PAGE };
  if (path === '/missing') return { status: 404, body: MISSING };
  if (path === '/down') return { status: 503, body: MISSING };
  if (path === '/flaky' && nth % FLAKY === 0) return { status: 503, body: MISSING };
  return { status: 200, body: PAGE };
}

/** The unary call behind the JSON of the transcoding scenario: its `.proto` and the one message that it answers. */
export const PROTO = `syntax = "proto3";
package bench;
message PageRequest { int32 id = 1; }
message Page { int32 id = 1; string name = 2; }
service Pages { rpc Get(PageRequest) returns (Page); }
`;
export const CALL = '/bench.Pages/Get';
export const CALL_JSON = '{"id":7,"name":"a page"}';
/** A frame that is not compressed, 10 bytes long: field 1 is 7, field 2 the name. */
export const CALL_FRAME = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 10, 0x08, 7, 0x12, 6]),
  Buffer.from('a page'),
]);
