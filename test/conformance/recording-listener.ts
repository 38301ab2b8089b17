/**
 * A weight listener that remembers what it was told.
 * @module
 */

import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { SplitOrigin, WeightListener } from '../../src/ports/weight-channel.ts';

export interface RecordingListener extends WeightListener {
  readonly splits: SplitDocument[];
  /** How each of `splits` was found. */
  readonly origins: SplitOrigin[];
  /** `service@revision` */
  readonly renewals: string[];
  readonly connections: boolean[];
}

export function createRecordingListener(): RecordingListener {
  const splits: SplitDocument[] = [];
  const origins: SplitOrigin[] = [];
  const renewals: string[] = [];
  const connections: boolean[] = [];
  return {
    splits,
    origins,
    renewals,
    connections,
    onSplit: (split, origin) => {
      splits.push(split);
      origins.push(origin);
    },
    onRenewal: (service, revision) => renewals.push(`${service}@${revision}`),
    onConnection: (connected) => connections.push(connected),
  };
}
