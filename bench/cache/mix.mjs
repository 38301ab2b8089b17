/**
 * The seeded request mix of the cache lab: who asks for what, when, by which spelling of the URL, and which products
 * are updated. The same seed gives the same sequence; knows no sockets and no gateway.
 * @module
 */

import { createHash } from 'node:crypto';
import { Random } from '../judges/random.mjs';
import { categoryOf, listPath, MARKETS, productPath } from './shop.mjs';

/** Popularity of the product of rank r is proportional to 1/r (Zipf; exponents measured on web caches are near 1). */
const ZIPF = 1;
const LISTS = 0.15;
/** Of product pages: asked for without currency and language, as crawlers do. */
const BARE = 0.05;
/** Somebody opens one of the pages again that he saw last: a conditional request when he has an ETag. */
const REVISITS = 0.3;
const REMEMBERED = 10;
/** Arrivals by a link that carries utm_*; of those, the ones with a click id of their own. */
const CAMPAIGN = 0.25;
const CLICK_ID = 0.3;
/** Links that somebody built with the parameters in another order. */
const SHUFFLED = 0.4;
const SOURCES = ['newsletter', 'google', 'instagram', 'partner', 'affiliate', 'push'];
const MEDIA = ['email', 'cpc', 'social', 'referral'];
const CAMPAIGNS = 15;

/**
 * All requests, in the order of their times. Options: `seed`, `seconds`, `rate` (reads a second in all), `users`,
 * `products`, `updates` (a second).
 * @returns reads `{kind: 'read', atMs, user, target, again}` and updates `{kind: 'update', atMs, id}`; `again`: asked
 *   for by somebody who saw that page
 */
export function requestMix({ seed, seconds, rate, users, products, updates }) {
  const random = new Random(seed);
  const popular = popularity(products, random);
  const people = Array.from({ length: users }, () => ({ market: marketOf(random), seen: [] }));
  const reads = times(rate, seconds, random).map((atMs) => {
    const user = Math.floor(random.uniform() * users);
    return { kind: 'read', atMs, user, ...visit(people[user], popular, random) };
  });
  const changes = times(updates, seconds, new Random(seed, 1)).map((atMs) => ({
    kind: 'update',
    atMs,
    id: popular(),
  }));
  return [...reads, ...changes].sort((a, b) => a.atMs - b.atMs);
}

/** Tells sequences apart: runs with the same digest asked for the same, in the same order, at the same times. */
export function digestOf(mix) {
  return createHash('sha256').update(JSON.stringify(mix)).digest('hex').slice(0, 16);
}

function visit({ market, seen }, popular, random) {
  const again = seen.length > 0 && random.uniform() < REVISITS;
  const page = again ? seen[Math.floor(random.uniform() * seen.length)] : newPage(market, popular, random);
  if (!again) {
    seen.push(page);
    if (seen.length > REMEMBERED) seen.shift();
  }
  return { target: spelling(page, random), again };
}

/** A path with its parameters, in the order in which the shop itself writes them. */
function newPage({ currency, lang }, popular, random) {
  const id = popular();
  if (random.uniform() < LISTS) {
    // The first pages are looked at most.
    const page = Math.min(random.geometric(1.6), 5);
    const query = { category: categoryOf(id), page, sort: 'popular', currency, lang };
    return { path: listPath(), query };
  }
  return { path: productPath(id), query: random.uniform() < BARE ? {} : { currency, lang } };
}

/** One of the many URLs that people reach a page by. */
function spelling({ path, query }, random) {
  const parameters = Object.entries(query);
  if (random.uniform() < SHUFFLED) shuffle(parameters, random);
  if (random.uniform() < CAMPAIGN) {
    parameters.push(
      ['utm_source', pick(SOURCES, random)],
      ['utm_medium', pick(MEDIA, random)],
      ['utm_campaign', `c${Math.floor(random.uniform() * CAMPAIGNS)}`],
    );
    if (random.uniform() < CLICK_ID) parameters.push(['utm_id', Math.floor(random.uniform() * 2 ** 32)]);
  }
  const text = parameters.map(([name, value]) => `${name}=${value}`).join('&');
  return text === '' ? path : `${path}?${text}`;
}

/** Draws products; popular ones are anywhere among the ids. */
function popularity(products, random) {
  const ids = Array.from({ length: products }, (_, id) => id);
  shuffle(ids, random);
  const sums = [];
  let sum = 0;
  for (let rank = 1; rank <= products; rank += 1) {
    sum += rank ** -ZIPF;
    sums.push(sum);
  }
  return () => {
    const at = random.uniform() * sum;
    let [low, high] = [0, products - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle] > at) high = middle;
      else low = middle + 1;
    }
    return ids[low];
  };
}

/** Moments of a Poisson process, milliseconds from the start. */
function times(perSecond, seconds, random) {
  const moments = [];
  if (perSecond <= 0) return moments;
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random.uniform()) / perSecond) * 1000;
    if (atMs >= seconds * 1000) return moments;
    moments.push(Math.round(atMs * 1000) / 1000);
  }
}

function marketOf(random) {
  let rest = random.uniform();
  return MARKETS.find(({ share }) => {
    rest -= share;
    return rest < 0;
  });
}

function pick(list, random) {
  return list[Math.floor(random.uniform() * list.length)];
}

function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random.uniform() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
}
