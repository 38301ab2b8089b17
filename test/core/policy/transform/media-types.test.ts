import { describe, expect, it } from 'vitest';
import {
  acceptOfForm,
  acceptWeight,
  formOf,
  wantedType,
} from '../../../../src/core/policy/transform/media-types.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8';

describe('media types', () => {
  it.each([
    ['application/json', 'json'],
    ['application/problem+json', 'json'],
    ['application/xml', 'xml'],
    ['text/xml', 'xml'],
    ['application/vnd.a.order+xml', 'xml'],
    ['application/xhtml+xml', null],
    ['image/svg+xml', null],
    ['text/json', null],
    ['', null],
  ])('of %j are %j', (type, form) => {
    expect(formOf(type)).toBe(form);
  });

  it.each([
    [undefined, 1],
    ['', 1],
    ['application/json', 1],
    ['Application/*;q=0.5, */*;q=0.1', 0.5],
    ['*/*;q=0.1', 0.1],
    ['application/json;q=0, */*', 0],
    ['text/plain', 0],
    ['application/json;version=2;q=0.3', 0.3],
    ['application/json;q=2', 0],
  ])('by Accept %j weigh %d', (accept, weight) => {
    expect(acceptWeight(accept, 'application/json')).toBe(weight);
  });

  it.each([
    ['application/json', 'application/xml', 'json', 'application/xml'],
    ['application/json', 'text/xml', 'json', 'text/xml'],
    ['application/json', 'text/xml, application/xml;q=0.9', 'json', 'text/xml'],
    ['application/json', 'application/xml, application/json', 'json', 'application/json'],
    ['application/json', 'application/xml, application/json', 'xml', 'application/xml'],
    ['application/json', 'application/xml;q=0.9, application/json', 'xml', 'application/json'],
    ['application/json', undefined, 'json', 'application/json'],
    ['application/json', undefined, 'xml', 'application/xml'],
    ['application/json', '*/*', 'xml', 'application/xml'],
    ['application/json', 'text/csv', 'xml', 'application/json'],
    ['application/json', BROWSER, 'json', 'application/xml'],
    ['text/xml', 'application/json', 'xml', 'application/json'],
    ['application/vnd.a+json', 'application/vnd.a+xml', 'json', 'application/vnd.a+xml'],
    ['application/vnd.a+json', 'application/xml', 'json', 'application/xml'],
    ['application/vnd.a+xml', '*/*', 'json', 'application/vnd.a+json'],
  ] as const)('%s for Accept %j and leaning to %s is sent as %s', (type, accept, leaning, wanted) => {
    expect(wantedType(type, accept, leaning)).toBe(wanted);
  });

  it.each([
    ['application/xml', 'json', 'application/json'],
    ['text/xml;q=0.5, application/json', 'json', 'application/json'],
    ['application/json;q=0.5, text/xml;q=0.7', 'json', 'application/json;q=0.7'],
    ['*/*, application/xml;q=0', 'json', '*/*'],
    ['application/json;q=0, text/*', 'json', 'text/*'],
    ['application/json;q=0', 'json', 'application/json'],
    ['image/png;q=0', 'json', 'image/png;q=0'],
    ['application/vnd.a+json;version=2, */*;q=0.1', 'xml', 'application/vnd.a+xml;version=2, */*;q=0.1'],
    [BROWSER, 'json', 'text/html, application/xhtml+xml, application/json;q=0.9, image/avif, */*;q=0.8'],
  ] as const)('%s asks an upstream that speaks %s for %s', (accept, form, asked) => {
    expect(acceptOfForm(accept, form)).toBe(asked);
  });
});
