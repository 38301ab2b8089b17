/**
 * A weight listener that remembers what it was told.
 * @module
 */

import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { WeightListener } from '../../src/ports/weight-channel.ts';

export interface RecordingListener extends WeightListener {
  readonly splits: SplitDocument[];
  /** `service@revision` */
  readonly renewals: string[];
  readonly connections: boolean[];
}

export function createRecordingListener(): RecordingListener {
  const splits: SplitDocument[] = [];
  const renewals: string[] = [];
  const connections: boolean[] = [];
  return {
    splits,
    renewals,
    connections,
    onSplit: (split) => splits.push(split),
    onRenewal: (service, revision) => renewals.push(`${service}@${revision}`),
    onConnection: (connected) => connections.push(connected),
  };
}
