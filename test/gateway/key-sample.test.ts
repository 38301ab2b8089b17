import { describe, expect, it } from 'vitest';
import { KeySample } from '../../src/gateway/key-sample.ts';

const keys = Array.from({ length: 8_000 }, (_, at) => `user-${at}`);

describe('a sample of users', () => {
  it('counts one user in eight, each once', () => {
    const sample = new KeySample();
    const first = keys.filter((key) => sample.isNew(key, 1));
    expect(first.length).toBeGreaterThan(850);
    expect(first.length).toBeLessThan(1_150);
    expect(keys.filter((key) => sample.isNew(key, 1))).toEqual([]);
  });

  it('counts the same users again under another split', () => {
    const sample = new KeySample();
    const first = keys.filter((key) => sample.isNew(key, 1));
    expect(keys.filter((key) => sample.isNew(key, 2))).toEqual(first);
  });

  it('stops when somebody makes up keys, until the split changes', () => {
    const sample = new KeySample();
    let counted = 0;
    for (let at = 0; at < 500_000; at += 1) if (sample.isNew(`made-up-${at}`, 1)) counted += 1;
    expect(counted).toBe(50_000);
    expect(keys.filter((key) => sample.isNew(key, 2)).length).toBeGreaterThan(850);
  });
});
