/**
 * A small authoritative DNS server on loopback UDP for tests (RFC 1035, RFC 2782): answers from a table that tests
 * change while it runs. Knows A, AAAA and SRV.
 * @module
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface Zone {
  a?: readonly string[];
  aaaa?: readonly string[];
  srv?: readonly SrvRecord[];
  /** Seconds. */
  ttl?: number;
  /** Response code for A questions, or for all when there is no AAAA one; 2: SERVFAIL. */
  failA?: number;
  failAaaa?: number;
  /** No answer at all. */
  silent?: boolean;
}

const TYPE = { a: 1, aaaa: 28, srv: 33 } as const;
const NXDOMAIN = 3;

export class DnsServer {
  /** By name in lower case. */
  readonly zones = new Map<string, Zone>();
  /** `name type` of each question, oldest first. */
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (message, peer) => this.#answer(message, peer));
  }

  static async open(): Promise<DnsServer> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new DnsServer(socket);
  }

  /** Such as `127.0.0.1:40053`. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #answer(message: Buffer, peer: RemoteInfo): void {
    const { name, end } = readName(message, 12);
    const type = message.readUInt16BE(end);
    this.asked.push(`${name} ${type}`);
    const zone = this.zones.get(name);
    if (zone?.silent === true) return;
    const records = zone === undefined ? [] : recordsOf(zone, type);
    const failure = type === TYPE.aaaa ? zone?.failAaaa : zone?.failA;
    const code = failure ?? (zone === undefined ? NXDOMAIN : 0);
    const question = message.subarray(12, end + 4);
    const header = Buffer.alloc(12);
    header.writeUInt16BE(message.readUInt16BE(0), 0);
    // A response, authoritative, recursion desired and available.
    header.writeUInt16BE(0x8580 | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(failure === undefined ? records.length : 0, 6);
    const answers = failure === undefined ? records.map((data) => record(type, zone?.ttl ?? 60, data)) : [];
    this.#socket.send(Buffer.concat([header, question, ...answers]), peer.port, peer.address);
  }
}

function recordsOf(zone: Zone, type: number): Buffer[] {
  if (type === TYPE.a) return (zone.a ?? []).map((text) => Buffer.from(text.split('.').map(Number)));
  if (type === TYPE.aaaa) return (zone.aaaa ?? []).map(ipv6Bytes);
  if (type !== TYPE.srv) return [];
  return (zone.srv ?? []).map(({ priority, weight, port, target }) => {
    const numbers = Buffer.alloc(6);
    numbers.writeUInt16BE(priority, 0);
    numbers.writeUInt16BE(weight, 2);
    numbers.writeUInt16BE(port, 4);
    return Buffer.concat([numbers, writeName(target)]);
  });
}

/** The name is a pointer to the question's. */
function record(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function writeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}

/** Takes `::1` and full forms. */
function ipv6Bytes(text: string): Buffer {
  const [left = '', right] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const [head, tail] = [groups(left), groups(right ?? '')];
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
