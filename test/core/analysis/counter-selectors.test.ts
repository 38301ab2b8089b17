import { describe, expect, it } from 'vitest';
import { counterSelectors, upSelector } from '../../../src/core/analysis/counter-selectors.ts';
import type { Rule } from '../../../src/core/domain/rule.ts';
import { RULE } from '../rollout/plans.ts';

const PLAN = { service: 'orders', baseline: 'v1.0', canary: 'v1.1' };
const rule = (counters?: Rule['counters']): Rule => ({
  ...RULE,
  source: 'prometheus',
  ...(counters && { counters }),
});

describe('the selectors of a rule on counters', () => {
  it('are the attempts of a version at the gateways, without those whose client gave up', () => {
    const of = (version: string, rest: string) =>
      `http_client_request_duration_seconds_count{sluice_service="orders",sluice_version="${version}",${rest}}`;
    const arm = (version: string) => ({
      total: [of(version, 'error_type!="client_abort"')],
      bad: [
        of(version, 'error_type!="client_abort",http_response_status_code=~"5.."'),
        of(version, 'error_type=~"connect|reset|timeout"'),
      ],
    });
    expect(counterSelectors(rule(), PLAN)).toEqual({ canary: arm('v1.1'), baseline: arm('v1.0') });
  });

  it('escape names, so that none can change a query', () => {
    const plan = { ...PLAN, service: 'a"} or up #', canary: 'back\\slash\nline' };
    const [selector] = counterSelectors(rule(), plan).canary.total;
    expect(selector).toContain('sluice_service="a\\"} or up #"');
    expect(selector).toContain('sluice_version="back\\\\slash\\nline"');
  });

  it('of a user have the version in its place, which in a regular expression means itself', () => {
    const counters = {
      bad: 'failed{version="$version", note="$version"}',
      total: 'all{pod=~"shop-$version-.*", dir!~`$version`}',
    };
    expect(counterSelectors(rule(counters), PLAN).canary).toEqual({
      bad: ['failed{version="v1.1", note="v1.1"}'],
      total: ['all{pod=~"shop-v1\\\\.1-.*", dir!~`v1\\.1`}'],
    });
  });

  it('of a user who names no version have no baseline', () => {
    expect(counterSelectors(rule({ bad: 'failed', total: 'all' }), PLAN)).toEqual({
      canary: { bad: ['failed'], total: ['all'] },
      baseline: null,
    });
  });

  it('ask for instances by their names, and nothing else', () => {
    expect(upSelector(['10.0.0.1:80', 'b+c'])).toBe('up{instance=~"10\\\\.0\\\\.0\\\\.1:80|b\\\\+c"}');
  });
});
