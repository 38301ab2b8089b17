/**
 * A real logger that writes nowhere. Knows nothing of who logs.
 * @module
 */

import { createLogger } from '../../src/telemetry/logger.ts';

export const silentLogger = createLogger({
  level: 'silent',
  component: 'operator',
  destination: { write: () => undefined },
});
