/**
 * A finding about a configuration file, with its exact place. Produced by the loaders, rendered by the CLI.
 * @module
 */

export interface Diagnostic {
  /** As the user named it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly severity: 'error' | 'warning';
  /** What is wrong and what was expected. */
  readonly message: string;
  /** What to do, such as `did you mean "weight"?`. */
  readonly hint?: string;
  /** The line may hold a secret: it is not to be shown or logged. */
  readonly sensitive?: true;
}

/** `value` is null exactly when there is at least one error. */
export interface LoadResult<T> {
  readonly value: T | null;
  readonly diagnostics: readonly Diagnostic[];
  /** Source text by file name, for code frames. */
  readonly sources: Readonly<Record<string, string>>;
}
