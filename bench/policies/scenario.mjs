/**
 * What a scenario of the policy bench is, and the words to write one in. A scenario is a policy, the file of a gateway
 * without it and with it, and the requests that both get.
 * @module
 */

import { PAGE } from './pages.mjs';

/**
 * Fills in what a scenario leaves out:
 * - `id`, `label`; `doc`: the section of docs/policies/ that describes the policy;
 * - `off`, `on`: functions of the world that give the patch of `gatewayFile` (default: nothing on);
 * - `ask(world)`: gives a function that makes the next request, `{method, path, headers, body, trailers}`: a body is text
 *   or bytes, with `trailers` (HTTP/1.1 only) it goes in one chunk;
 * - `expect.off`, `expect.on`: `statuses` that any answer may have; of every batch's last answer also `body` (text, a
 *   predicate of the bytes, or null for any) and `head` (a pattern of status line and fields);
 * - `client.off`, `client.on`: `tls`, `http2`, `proxy`: how the load generator speaks to the listener;
 * - `redis`: both gateways share state over it; `needs`: `certificate`, which openssl makes.
 */
export function scenario({ off = () => ({}), expect = {}, client = {}, ask = get('/page'), ...given }) {
  const complete = (side) => ({ statuses: [200], body: PAGE, head: null, ...side });
  return {
    redis: false,
    needs: null,
    off,
    ask,
    ...given,
    expect: { off: complete(expect.off), on: complete(expect.on) },
    client: { off: client.off ?? {}, on: client.on ?? {} },
  };
}

/** The same GET again and again; `headers` may be a function of the world. */
export function get(path, headers = {}) {
  return (world) => {
    const request = {
      method: 'GET',
      path,
      headers: typeof headers === 'function' ? headers(world) : headers,
      body: '',
    };
    return () => request;
  };
}

/** Another request each time: `make(world, n)` with n from 1. */
export function each(make) {
  return (world) => {
    let n = 0;
    return () => {
      n += 1;
      return { method: 'GET', headers: {}, body: '', ...make(world, n) };
    };
  };
}

export function post(path, body, headers = {}) {
  return (world) => {
    const fields = typeof headers === 'function' ? headers(world) : headers;
    const request = {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json', ...fields },
      body,
    };
    return () => request;
  };
}
