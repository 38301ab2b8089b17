/**
 * The end of every exhaustive `switch`: adding a member to a union without handling it fails to compile.
 * Knows nothing else.
 * @module
 */

/** Throws; the `never` parameter makes the compiler prove that it cannot be reached. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
