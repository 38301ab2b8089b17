import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type JsonRules,
  type JsonValue,
  mapInSlices,
  mapJson,
} from '../../../../src/core/policy/transform/json-map.ts';
import { parseJsonPath } from '../../../../src/core/policy/transform/json-path.ts';

function pathOf(text: string) {
  const path = parseJsonPath(text);
  if (path === undefined) expect.fail(`no path: ${text}`);
  return path;
}

interface Written {
  pick?: string[];
  drop?: string[];
  rename?: Record<string, string>;
  set?: Record<string, JsonValue>;
}

function rulesOf({ pick, drop = [], rename = {}, set = {} }: Written): JsonRules {
  return {
    pick: pick === undefined ? null : pick.map(pathOf),
    drop: drop.map(pathOf),
    rename: Object.entries(rename).map(([text, to]) => ({ path: pathOf(text), to })),
    set: Object.entries(set).map(([text, given]) => ({ path: pathOf(text), value: given })),
  };
}

function mapped(value: JsonValue, written: Written): JsonValue {
  return mapJson(structuredClone(value), rulesOf(written));
}

const ORDER: JsonValue = { id: 1, customer: { name: 'A', age: 3 }, items: [{ a: 1, b: 2 }, { a: 3 }, 7] };

describe('mapJson', () => {
  it.each<[Written, JsonValue]>([
    [{ pick: ['id', 'customer.name'] }, { id: 1, customer: { name: 'A' } }],
    [{ pick: ['items[*].a'] }, { items: [{ a: 1 }, { a: 3 }, 7] }],
    [{ pick: ['items[1]'] }, { items: [{ a: 3 }] }],
    [{ pick: ['nothing', 'id.below'] }, {}],
    [{ pick: ['customer', 'customer.name'] }, { customer: { name: 'A', age: 3 } }],
    [{ drop: ['items', 'customer.age'] }, { id: 1, customer: { name: 'A' } }],
    [{ drop: ['items[*].a', 'items[2]', 'items[9]'], pick: ['items'] }, { items: [{ b: 2 }, {}] }],
    [{ drop: ['items[*]', 'id.x', 'items.a'], pick: ['items'] }, { items: [] }],
    [{ pick: ['id'], rename: { id: 'number', missing: 'x' } }, { number: 1 }],
    [{ pick: ['items'], rename: { 'items[*].a': 'z' } }, { items: [{ b: 2, z: 1 }, { z: 3 }, 7] }],
    [
      { pick: ['id'], set: { 'x.y.z': null, id: 'i' } },
      { id: 'i', x: { y: { z: null } } },
    ],
    [
      { pick: ['items'], set: { 'items[*].c': true, 'items[2]': 0, 'items[5]': 1 } },
      { items: [{ a: 1, b: 2, c: true }, { a: 3, c: true }, 0] },
    ],
    [{ set: { 'id.x': 1, 'list[*].x': 1 } }, ORDER],
  ])('%j', (rules, expected) => {
    expect(mapped(ORDER, rules)).toEqual(expected);
  });

  it('takes arrays and scalars at the top', () => {
    expect(mapped([{ a: 1, b: 1 }, { a: 2 }], { pick: ['[*].a'] })).toEqual([{ a: 1 }, { a: 2 }]);
    expect(mapped('text', { pick: ['a'], drop: ['b'], set: { c: 1 } })).toBe('text');
  });

  it('gives no property a meaning that JavaScript has for it', () => {
    const hostile = JSON.parse('{"__proto__":{"x":1},"constructor":{"y":1},"a":1}') as JsonValue;
    expect(JSON.stringify(mapped(hostile, { drop: ['a'] }))).toBe(
      '{"__proto__":{"x":1},"constructor":{"y":1}}',
    );
    expect(JSON.stringify(mapped({}, { pick: ['constructor.name', 'toString'] }))).toBe('{}');
    expect(parseJsonPath('a.__proto__.b')).toBeUndefined();
  });

  it('leaves nothing of what it drops, and no more than it picks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 2 }))),
        (list) => {
          const value = JSON.parse(JSON.stringify(list)) as JsonValue[];
          for (const each of mapped(value, { drop: ['[*].a'] }) as object[])
            expect(each).not.toHaveProperty('a');
          expect(mapped(value, { pick: ['[*].a', '[*].b', '[*].c'] })).toEqual(value);
        },
      ),
    );
  });

  it('takes many turns for a large value, whatever the rules', () => {
    const rows = Array.from({ length: 50_000 }, (_, a) => ({ a, b: { c: a } }));
    for (const written of [
      { pick: ['[*].a'] },
      { drop: ['[*].b.c'] },
      { rename: { '[*].a': 'z' } },
      { set: { '[*].b.d.e': 1 } },
    ] satisfies Written[]) {
      const work = mapInSlices(structuredClone(rows), rulesOf(written));
      let turns = 1;
      let step = work.next();
      for (; step.done !== true; step = work.next()) turns += 1;
      expect(turns).toBeGreaterThan(10);
      const [one] = [step.value].flat();
      expect(one).toEqual([mapped([{ a: 0, b: { c: 0 } }], written)].flat()[0]);
    }
  });

  it('takes turns for what there is nothing in', () => {
    const turnsFor = (length: number): number => {
      const work = mapInSlices(
        Array.from({ length }, () => []),
        rulesOf({ pick: ['[*].a'] }),
      );
      let turns = 1;
      while (work.next().done !== true) turns += 1;
      return turns;
    };
    // Each is looked at twice: where it stands, and into it.
    expect(turnsFor(40_960)).toBeGreaterThan(19);
  });

  it.each(['', '.', 'a.', 'a..b', 'a[', 'a[-1]', 'a[x]', '[*]a', 'a]'])('%j is no path', (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });
});
