/**
 * The shop of the cache lab: its products, the paths of its catalog, and which products a path shows. Both the upstream
 * and the customers read paths by it, so that every answer can be checked. Knows no requests and no sockets.
 * @module
 */

export const CATEGORIES = 12;
/** Products on a page of a list. */
export const PAGE = 20;
/** A customer's market decides currency and language of all pages; shares of the customers. */
export const MARKETS = [
  { currency: 'EUR', lang: 'de', share: 0.45 },
  { currency: 'EUR', lang: 'fr', share: 0.25 },
  { currency: 'GBP', lang: 'en', share: 0.2 },
  { currency: 'USD', lang: 'en', share: 0.1 },
];
const ROOT = '/catalog/products';

export function productPath(id) {
  return `${ROOT}/${id}`;
}

export function listPath() {
  return ROOT;
}

export function categoryOf(id) {
  return id % CATEGORIES;
}

/** What purges of a product name: every answer that shows it carries it. */
export function tagOf(id) {
  return `product-${id}`;
}

/**
 * What a target (path with query) shows: `ids` of the products, and `locale`, the currency and language. Null: no page
 * of the catalog. Parameters that it does not know make no difference, as in real shops.
 */
export function pageOf(target, products) {
  const { pathname, searchParams: query } = new URL(target, 'http://shop');
  const locale = `${query.get('currency') ?? 'EUR'}/${query.get('lang') ?? 'en'}`;
  const one = /^\/catalog\/products\/(\d+)$/.exec(pathname);
  if (one !== null) {
    const id = Number(one[1]);
    return id < products ? { ids: [id], locale } : null;
  }
  if (pathname !== ROOT) return null;
  const category = Number(query.get('category') ?? 0);
  const first = (Number(query.get('page') ?? 1) - 1) * PAGE;
  const ids = [];
  for (let n = first; n < first + PAGE; n += 1) {
    const id = category + n * CATEGORIES;
    if (id < products) ids.push(id);
  }
  return { ids, locale };
}
