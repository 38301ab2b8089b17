import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** What `npm run demo` runs after its build, without a terminal. */
function runDemo(): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['dist/bin/demo.js'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve({ code, output })));
}

describe('the demo', { timeout: 300_000 }, () => {
  it('promotes the healthy version, aborts the faulty one by its 5xx rule, and loses no request', async () => {
    const { code, output } = await runDemo();
    expect(output).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}orders-v2 {2}promoted /m);
    expect(output).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+Z {2}orders-v3 {2}aborted .*5xx > 2x/m);
    expect(output).toMatch(/users who moved v1 → v2: \d+; back to v1: 0/);
    expect(output).toMatch(/rule {6}5xx > 2x\n {2}numbers {3}canary .* is over 2x/);
    expect(output).toMatch(/first bad answer → weight 0 on every gateway: \d+\.\d s/);
    expect(output).toContain('dropped 0');
    expect(code, output).toBe(0);
  });
});
