/**
 * Writes headers of the PROXY protocol, version 2, also wrong ones.
 * @module
 */

export function proxyV2(header: {
  /** Version and command; PROXY by default. */
  readonly command?: number;
  /** Family and transport; TCP over IPv4 by default. */
  readonly family?: number;
  readonly bytes: readonly number[];
}): Buffer {
  const { command = 0x21, family = 0x11, bytes } = header;
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n____', 'latin1');
  head.writeUInt8(command, 12);
  head.writeUInt8(family, 13);
  head.writeUInt16BE(bytes.length, 14);
  return Buffer.concat([head, Buffer.from(bytes)]);
}
