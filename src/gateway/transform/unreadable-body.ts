/**
 * Why a body cannot be brought into the form that a route wants. Knows no direction: what the client is told of it
 * is decided by who reads.
 * @module
 */

/** `unsupported`: it may be sound, in a coding, charset or form that is not read here. */
export type BodyTrouble = 'malformed' | 'too-large' | 'unsupported';

/** The message is the end of a sentence about the body, such as "it is no gzip"; nothing secret stands in it. */
export class UnreadableBody extends Error {
  readonly trouble: BodyTrouble;

  constructor(trouble: BodyTrouble, message: string) {
    super(message);
    this.trouble = trouble;
  }
}

/** What a filter of a body in that coding has failed with: a decoder says no more than that its bytes are none of it. */
export function troubleOfFilter(error: unknown, coding: string | null): UnreadableBody {
  if (error instanceof UnreadableBody) return error;
  return new UnreadableBody('malformed', coding === null ? 'it cannot be reshaped' : `it is no ${coding}`);
}
