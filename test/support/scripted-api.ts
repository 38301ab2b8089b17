/** A control API on a free port over a scripted control. */

import { createEmbeddedPurgeChannel } from '../../src/adapters/embedded/purge-channel.ts';
import { type ControlApi, startControlApi } from '../../src/api/control-api.ts';
import { ScriptedControl } from './scripted-control.ts';
import { silentLogger } from './silent-logger.ts';
import { readyView } from './view-fixture.ts';

type Options = Parameters<typeof startControlApi>[0];

/** Two rollouts that were never started. */
export function twoRollouts(): ScriptedControl {
  return new ScriptedControl([readyView(), readyView('search-v3')]);
}

/** Open to this machine, without tokens, unless `changes` says otherwise. */
export function startScriptedApi(
  control: ScriptedControl,
  changes: Partial<Options> = {},
): Promise<ControlApi> {
  return startControlApi({
    control,
    purges: createEmbeddedPurgeChannel(),
    address: { host: '127.0.0.1', port: 0 },
    tokens: [],
    loopbackWithoutToken: true,
    logger: silentLogger,
    ...changes,
  });
}
