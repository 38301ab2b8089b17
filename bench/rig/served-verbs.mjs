/**
 * The other end of a process that is asked over its channel: carries out one verb after another and says what came of it.
 * Knows no verbs.
 * @module
 */

/** `verbs`: functions of one object by name. The process ends with its parent. */
export function serveVerbs(verbs) {
  process.on('message', async ({ id, verb, options }) => {
    try {
      process.send({ id, value: await verbs[verb](options) });
    } catch (error) {
      process.send({ id, error: error instanceof Error ? error.stack : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}
