import { describe, expect, it } from 'vitest';
import {
  parseRolloutEventData,
  rolloutCloudEvent,
  rolloutEventJsonSchema,
} from '../../../src/adapters/webhook/rollout-cloud-event.ts';
import { ABORTED, STARTED } from './events.ts';

describe('rolloutCloudEvent', () => {
  it.each([STARTED, ABORTED])('sends data that the published schema allows ($type)', (event) => {
    const { data } = JSON.parse(JSON.stringify(rolloutCloudEvent(event)));
    expect(parseRolloutEventData(data)).toEqual(data);
  });

  it('carries who, what, why and the numbers', () => {
    const { data } = JSON.parse(JSON.stringify(rolloutCloudEvent(ABORTED)));
    expect(data).toMatchObject({
      event: 'aborted',
      reason: { code: 'RULE', text: 'The rule 5xx > 2x failed at 5%.' },
      actor: { kind: 'operator', name: 'operator' },
      weightBeforeBp: 500,
      weightAfterBp: 0,
      hash: 'b'.repeat(64),
    });
    expect(data.checks.map((check: { verdict: string }) => check.verdict)).toEqual([
      'fail',
      'pass',
      'fail',
      'no-evidence',
    ]);
    expect(data.checks[0].evidence.canary).toEqual({ bad: 41, total: 1000 });
    expect(data.checks[2].evidence.value).toBeNull();
  });

  it('is refused by its own schema when a field is missing or of another kind', () => {
    const { data } = rolloutCloudEvent(ABORTED);
    expect(() => parseRolloutEventData({ ...data, canary: undefined })).toThrow(/canary/);
    expect(() => parseRolloutEventData({ ...data, weightAfterBp: 20_000 })).toThrow(/weightAfterBp/);
    expect(() => parseRolloutEventData({ ...data, event: 'exploded' })).toThrow(/event/);
  });

  it('keeps a service with unusual characters a valid URI reference', () => {
    expect(rolloutCloudEvent({ ...ABORTED, service: 'a b/c' }).source).toBe('/sluice/a%20b%2Fc');
  });

  it('has its JSON Schema published, up to date, in docs', async () => {
    const text = `${JSON.stringify(rolloutEventJsonSchema(), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../../docs/rollout-event.schema.json');
  });

  it('lets receivers validate today what will have more fields tomorrow', () => {
    expect(JSON.stringify(rolloutEventJsonSchema())).not.toContain('"additionalProperties":false');
  });
});
