/**
 * Addresses that one client can change between at will: an IPv6 subnet of 64 bits counts as one client.
 * Knows the spelling of addresses only.
 * @module
 */

/** An IPv4 address as it is; an IPv6 address as the /64 that it belongs to. */
export function addressGroup(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  // A dotted end stands for two groups.
  const backGroups = back.length + (back.at(-1)?.includes('.') === true ? 1 : 0);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - front.length - backGroups);
  const groups = [...front, ...new Array<string>(missing).fill('0'), ...back];
  const subnet = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${subnet.join(':')}::/64`;
}
