/**
 * The metric and label names on which the gateway (writing) and Prometheus rules (reading) agree.
 * OpenTelemetry's HTTP semantic conventions in Prometheus spelling, plus Sluice's own labels.
 * @module
 */

/** Per response, as clients saw it. Labels: service, route, pattern, version, method, status, error. */
export const SERVER_DURATION = 'http_server_request_duration_seconds';
/** Per attempt at an upstream. Labels: service, version, status, error. The analysis reads this one. */
export const CLIENT_DURATION = 'http_client_request_duration_seconds';

export const LABEL = {
  service: 'sluice_service',
  version: 'sluice_version',
  /** Name in the configuration. */
  route: 'sluice_route',
  /** Path template, never the raw path. Several routes may share one. */
  pattern: 'http_route',
  /** Upper case; unknown methods are `_OTHER`. */
  method: 'http_request_method',
  /** Empty when there was no status. */
  status: 'http_response_status_code',
  /** Of an attempt `connect`, `reset`, `timeout`, `client_abort`; of a response a code of the gateway; or empty. */
  error: 'error_type',
} as const;

/** Upper bounds of the duration buckets, seconds (OpenTelemetry's advice). */
export const DURATION_BUCKETS_S = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;
