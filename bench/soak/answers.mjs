/**
 * Reads what has come on a connection of HTTP/1.1 as one answer, by its own framing. Knows bytes as latin1 text; opens
 * nothing.
 * @module
 */

const END_OF_HEAD = '\r\n\r\n';

/** Null until `text` is one whole answer; `rest` is what came behind it. */
export function answerIn(text) {
  const headEnd = text.indexOf(END_OF_HEAD);
  if (headEnd < 0) return null;
  const head = text.slice(0, headEnd);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0);
  const from = headEnd + END_OF_HEAD.length;
  if (/\r\ntransfer-encoding: chunked/i.test(head)) {
    const chunked = chunksFrom(text, from);
    return chunked === null ? null : { status, ...chunked };
  }
  const end = from + Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return text.length < end
    ? null
    : { status, body: text.slice(from, end), trailers: '', rest: text.slice(end) };
}

/** RFC 9112 §7.1. */
function chunksFrom(text, from) {
  let body = '';
  for (let at = from; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) {
      // The line of the last chunk may be followed by trailers, and is by an empty line.
      const end = text.indexOf(END_OF_HEAD, lineEnd);
      if (end < 0) return null;
      return { body, trailers: text.slice(lineEnd + 2, end), rest: text.slice(end + END_OF_HEAD.length) };
    }
    const next = lineEnd + 2 + size + 2;
    if (text.length < next) return null;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
