import { describe, expect, it } from 'vitest';
import { cliWithApi } from '../support/cli-with-api.ts';

const { cli } = cliWithApi();

describe('rollout cache purge', () => {
  it('says what it has purged and how far that went', async () => {
    const run = await cli(['cache', 'purge', '--prefix', '/catalog', '--service', 'shop']);
    expect([run.code, run.stdout]).toEqual([0, '']);
    expect(run.stderr).toBe(
      'Purged everything below /catalog of shop: published, but no gateway has been heard of in the last seconds.\n',
    );
    const path = await cli(['cache', 'purge', '--path', '/catalog']);
    expect(path.stderr).toContain('Purged every query of /catalog: published');
    const json = await cli(['cache', 'purge', '--tag', 'shoes', '--json', '--quiet']);
    expect(json.stderr).toBe('');
    expect(JSON.parse(json.stdout)).toEqual({
      by: 'tag',
      value: 'shoes',
      service: null,
      sequence: 3,
      reached: { gateways: 0, applied: 0 },
    });
  });

  it('needs exactly one way to name it, and a sound one', async () => {
    for (const [argv, said] of [
      [[], 'exactly one of --url, --path, --prefix, --tag'],
      [['--url', '/a', '--tag', 'b'], 'exactly one of --url, --path, --prefix, --tag'],
      [['--url', 'a'], '--url: expected a path such as /catalog'],
    ] as const) {
      const run = await cli(['cache', 'purge', ...argv]);
      expect([run.code, run.stdout]).toEqual([2, '']);
      expect(run.stderr).toContain(said);
    }
  });

  it('is refused to viewers', async () => {
    const env = { SLUICE_TOKEN: 'viewer-token-0001' };
    const run = await cli(['cache', 'purge', '--tag', 'a'], { env });
    expect(run.code).toBe(4);
    expect(run.stderr).toContain('The role of this token does not allow this');
  });
});
