import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbedded } from '../../../src/adapters/embedded/open-embedded.ts';
import { createEmbeddedTelemetryStream } from '../../../src/adapters/embedded/telemetry-stream.ts';
import { describeCacheTier } from '../../conformance/cache-tier.ts';
import { describeNotificationCursors } from '../../conformance/notification-cursors.ts';
import { describePurgeChannel } from '../../conformance/purge-channel.ts';
import { describeRolloutStore } from '../../conformance/rollout-store.ts';
import { systemClock } from '../../conformance/samples.ts';
import { describeServiceLeases } from '../../conformance/service-leases.ts';
import { describeSharedState } from '../../conformance/shared-state.ts';
import { describeTelemetryStream } from '../../conformance/telemetry-stream.ts';
import { describeWeightChannel } from '../../conformance/weight-channel.ts';

const openInMemory = () => openEmbedded({ dir: null, clock: systemClock });

async function openInFiles() {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-embedded-'));
  const backend = await openEmbedded({ dir, clock: systemClock });
  return {
    ...backend,
    async close() {
      await backend.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

for (const [name, open] of [
  ['in memory', openInMemory],
  ['in files', openInFiles],
] as const) {
  describeWeightChannel(name, open);
  describeRolloutStore(name, open);
  describeServiceLeases(name, open);
  describeNotificationCursors(name, open);
  describeSharedState(name, open);
  describePurgeChannel(name, open);
  describeCacheTier(name, open);
}

describeTelemetryStream('in memory', async (cap) => ({
  stream: createEmbeddedTelemetryStream({ cap }),
  close: async () => undefined,
}));
