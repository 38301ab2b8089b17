/**
 * Conditions that a route sets on fields of the request beside method, host and path, such as the version of an API.
 * Pure: knows field values, neither routes nor where a request comes from.
 * @module
 */

export type RouteCondition =
  /** `name` in lower case; the value must be equal, the case of letters included. */
  | { readonly kind: 'field'; readonly name: string; readonly value: string }
  /** The media type, lower case, must be named in Accept; wildcards do not name it. */
  | { readonly kind: 'accept'; readonly mediaType: string };

/** Field that the condition looks at, in lower case. */
export function fieldOfCondition(condition: RouteCondition): string {
  return condition.kind === 'accept' ? 'accept' : condition.name;
}

/** `sent`: the value of that field, several lines joined by commas; undefined without one. */
export function conditionHolds(condition: RouteCondition, sent: string | undefined): boolean {
  if (sent === undefined) return false;
  return condition.kind === 'field'
    ? sent.trim() === condition.value
    : acceptNames(sent, condition.mediaType);
}

const REFUSED_WEIGHT = /^q=0(?:\.0{0,3})?$/i;

/** Whether Accept (RFC 9110 §12.5.1) names the type itself, with a weight above 0. */
function acceptNames(accept: string, mediaType: string): boolean {
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    return type.toLowerCase() === mediaType && !parameters.some((each) => REFUSED_WEIGHT.test(each));
  });
}

/** The same for equal sets of conditions, in whatever order. */
export function conditionsKey(conditions: readonly RouteCondition[]): string {
  const parts = conditions.map((each) =>
    each.kind === 'accept' ? ['accept', each.mediaType] : ['field', each.name, each.value],
  );
  return JSON.stringify(parts.map((part) => JSON.stringify(part)).sort());
}
