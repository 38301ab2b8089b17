/**
 * Who is to blame when the evidence of all broken limits together reaches the budget. Knows accounts of evidence; no
 * rules, windows or time.
 * @module
 */

/** Evidence about one broken limit: of a rule, or of a rule within a segment. */
export interface Account {
  readonly rule: number;
  /** Null: all of the traffic. */
  readonly segment: string | null;
  /** An e-value: evidence that the canary is worse. */
  readonly worse: number;
  /** Of the budget. The shares of all accounts there could be sum up to 1 at most. */
  readonly share: number;
}

/**
 * None as long as the accounts together have not won `needed`. Then the one that has won most, and all that would have
 * sufficed if they had been alone.
 */
export function blame(accounts: readonly Account[], needed: number): readonly Account[] {
  const won = accounts.map(({ worse, share }) => worse * share);
  if (won.reduce((sum, each) => sum + each, 0) < needed) return [];
  const most = Math.max(...won);
  return accounts.filter(({ worse }, at) => worse >= needed || won[at] === most);
}
