/** A control API over a scripted control, and the command line pointed at it. */

import { afterEach, beforeEach } from 'vitest';
import type { ControlApi } from '../../src/api/control-api.ts';
import { type CliRun, type CliRunOptions, runCli, startCli } from './cli-harness.ts';
import { startScriptedApi, twoRollouts } from './scripted-api.ts';
import type { ScriptedControl } from './scripted-control.ts';

export interface CliWithApi {
  /** Of the current test. */
  control(): ScriptedControl;
  api(): ControlApi;
  cli(argv: readonly string[], options?: CliRunOptions): Promise<CliRun>;
  begin(argv: readonly string[], options?: CliRunOptions): CliRun;
  /** `orders-v2` is in its first step. */
  started(): void;
}

/** Registers a fresh API for each test of the file. */
export function cliWithApi(): CliWithApi {
  let control: ScriptedControl;
  let api: ControlApi;

  beforeEach(async () => {
    control = twoRollouts();
    api = await startScriptedApi(control, {
      tokens: [
        { name: 'dash', role: 'viewer', token: 'viewer-token-0001' },
        { name: 'ci', role: 'operator', token: 'operator-token-0002' },
      ],
    });
  });

  afterEach(() => api.close());

  const withServer = (options: CliRunOptions = {}): CliRunOptions => ({
    ...options,
    env: { SLUICE_SERVER: api.url, ...options.env },
  });
  return {
    control: () => control,
    api: () => api,
    cli: (argv, options) => runCli(argv, withServer(options)),
    begin: (argv, options) => startCli(argv, withServer(options)),
    started: () => void control.move('orders-v2', 'started', { phase: 'holding', run: 1 }),
  };
}
