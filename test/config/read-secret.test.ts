import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSecret } from '../../src/config/read-secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-secret-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('readSecret', () => {
  it('reads a variable of the environment it is given', () => {
    expect(readSecret({ env: 'TOKEN' }, folder, { TOKEN: 'abc\n' })).toEqual({ ok: true, secret: 'abc\n' });
  });

  it('tells a variable that is not set from one that is empty', () => {
    expect(readSecret({ env: 'TOKEN' }, folder, {})).toMatchObject({
      ok: false,
      message: 'the environment variable TOKEN is not set',
    });
    expect(readSecret({ env: 'TOKEN' }, folder, { TOKEN: '' })).toMatchObject({
      message: 'the environment variable TOKEN is empty',
    });
  });

  it('reads a file beside the configuration, without its last line break', () => {
    writeFileSync(join(folder, 'token'), ' abc \r\n');
    expect(readSecret({ file: 'token' }, folder, {})).toEqual({ ok: true, secret: ' abc ' });
    expect(readSecret({ file: join(folder, 'token') }, '/', {})).toEqual({ ok: true, secret: ' abc ' });
  });

  it('says why a file cannot be used, without what is in it', () => {
    writeFileSync(join(folder, 'empty'), '\n');
    writeFileSync(join(folder, 'large'), 's3cret'.repeat(20_000));
    const read = (file: string) => JSON.stringify(readSecret({ file }, folder, {}));
    expect(read('none')).toContain('ENOENT');
    expect(read('empty')).toContain('is empty');
    expect(read('large')).toContain('has 120000 bytes');
    expect(read('large')).not.toContain('s3cret');
  });
});
