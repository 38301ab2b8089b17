/**
 * Every fixed limit of the data plane in one place, with its reason. Limits that users set are in the
 * configuration; these guard the process itself.
 * @module
 */

/** How often a listener's headersTimeout and requestTimeout are enforced; Node's default of 30 s would treble them. */
export const CONNECTIONS_CHECK_MS = 1_000;
/** Connections per endpoint; more requests queue until their connect time-out. */
export const MAX_UPSTREAM_CONNECTIONS = 1_024;
/** Of these, for requests with trailers over HTTP/1.1, where a service takes such; more of them go without. */
export const MAX_TRAILER_CONNECTIONS = 64;
/** Fields after the body of a request; of more none is passed on. */
export const MAX_REQUEST_TRAILERS = 100;
/** Head of an upstream's response, bytes. */
export const MAX_UPSTREAM_HEADER_BYTES = 65_536;
/** Idle upstream connections are closed before most servers (5 s) close theirs. */
export const UPSTREAM_KEEP_ALIVE_MS = 4_000;
/** Interim responses (1xx) that one attempt may send. */
export const MAX_INTERIM_RESPONSES = 8;
/** Body of a failed response that is read to keep the connection, instead of closing it, bytes. */
export const MAX_DISCARD_BYTES = 65_536;
/** A request body with a known length up to this is read before the attempt, so that it is one write. */
export const EAGER_BODY_BYTES = 65_536;
/** Verified tokens that are remembered per provider. */
export const MAX_CACHED_TOKENS = 10_000;
/** A remembered token is checked again after this, so that a withdrawn key stops working. */
export const TOKEN_RECHECK_MS = 300_000;
/** A longer token is refused unread, characters. */
export const MAX_TOKEN_LENGTH = 8_192;
/** Callers of a deprecated route that metrics name; the others share one name. */
export const MAX_COUNTED_CALLERS = 100;
/** Spans that wait for the collector; more are dropped and counted. */
export const MAX_WAITING_SPANS = 2_048;
export const SPAN_BATCH = 512;
/** A batch goes out after this at the latest. */
export const SPAN_DELAY_MS = 1_000;
/** Time that the collector gets for a batch, tries included. */
export const SPAN_TIMEOUT_MS = 5_000;
/** What is left of the spans gets this long at the end. */
export const SPAN_FLUSH_MS = 1_000;
/** Access-log text that waits for the disk, characters; more is dropped and counted. */
export const MAX_LOG_BACKLOG = 4_194_304;
/** Telemetry summaries that wait for the stream; older ones are dropped. */
export const MAX_TELEMETRY_BACKLOG = 900;
/** Services without a place in the configuration whose last telemetry sequence is remembered. */
export const MAX_RETIRED_SERVICES = 1_000;
/** Hops of X-Forwarded-For that are looked at, from the right. */
export const MAX_FORWARDED_HOPS = 32;
/** A request waits no longer for the state that gateways share; then it goes on without. */
export const SHARED_STATE_WAIT_MS = 50;
/** The same for an idempotency key, where going on without is worse than waiting. */
export const IDEMPOTENCY_WAIT_MS = 250;
/** While that state is out of reach, one request in this time tries it. */
export const SHARED_STATE_RETRY_MS = 1_000;
/** Keys that are counted in this process while the shared state is out of reach. */
export const MAX_LOCAL_LIMIT_KEYS = 50_000;
/** A wait for the channel longer than this serves what is known instead. */
export const FIRST_WEIGHTS_MS = 5_000;
/** Bytes that a client may send before it knows whether the protocol is changed. */
export const MAX_EARLY_BYTES = 65_536;
/** When a gateway ends, those who are told so get this long to answer. */
export const TUNNEL_GOODBYE_MS = 250;
/** While draining, idle connections stay open this long: a request may be on its way on any of them. */
export const IDLE_GRACE_MS = 1_000;
/** After that, connections accepted last get this long to send their request. */
export const LAST_ACCEPTED_MS = 500;
/** A client that takes nothing of a response that belongs to no route is gone after this. */
export const READER_IDLE_MS = 60_000;
/** Parts in which a body goes out that is here as a whole, bytes: what is taken of it is seen part by part. */
export const BODY_PART_BYTES = 65_536;
/** Of a body that is reshaped as it passes, what is kept in case that it has to pass as it came after all, bytes. */
export const MAX_RAW_BYTES = 65_536;
/** Large bodies that are reshaped at the same time, each a slice in turn; the others wait. */
export const MAX_BODIES_AT_WORK = 4;
/** What is left of the access log gets this long to reach the disk at the end. */
export const LOG_FLUSH_MS = 1_000;
/** What a health check reads of an answer, bytes. */
export const MAX_PROBE_BODY_BYTES = 65_536;
/** A start or reload waits no longer for first answers about where endpoints are. */
export const FIRST_ENDPOINTS_MS = 3_000;
/** First wait after a look-up that failed; doubles with each further one, up to the refresh time. */
export const DISCOVERY_RETRY_MS = 1_000;
/** An answer with a shorter TTL holds this long, unless the refresh time is shorter still. */
export const MIN_DNS_TTL_MS = 1_000;
/** Endpoints that are taken from one source. */
export const MAX_DISCOVERED = 256;
/** Requests under way on one HTTP/2 session to an upstream, if it allows that many. */
export const MAX_H2_STREAMS = 100;
/** Bytes of one answer over HTTP/2 that may wait for a slow client. */
export const H2_WINDOW_BYTES = 131_072;
/** A session without requests is closed after this. */
export const H2_IDLE_MS = 60_000;
/** A connection of HTTP/1.1 is not read from while so many of its requests wait for the answers to earlier ones. */
export const HELD_BACK_REQUESTS = 16;
/** One with more than these waiting, which only fit into what was read at once, is cut off. */
export const MAX_WAITING_REQUESTS = 256;
/** Requests under way on one HTTP/2 connection of a client. */
export const MAX_H2_CLIENT_STREAMS = 128;
/**
 * Heads over HTTP/2 of up to so many times the limits of their listener get 431; of larger ones only the stream is reset,
 * by nghttp2, which tells nobody.
 */
export const H2_HEAD_FACTOR = 2;
/** What HTTP/2 counts for a field beside its name and value, bytes (RFC 9113 §6.5.2). */
export const H2_FIELD_OVERHEAD_BYTES = 32;
/** Bytes of one request body over HTTP/2 that a client may send ahead. */
export const H2_CLIENT_WINDOW_BYTES = 65_535;
/** A client that was told goodbye over HTTP/2 and does not take even that is cut off after this. */
export const H2_GOODBYE_MS = 5_000;
/** What Node may hold for one HTTP/2 connection of a client, megabytes. */
export const MAX_H2_SESSION_MB = 8;
/** Requests that a client may call off on one HTTP/2 connection at once, and then per second. */
export const H2_RESET_BURST = 100;
export const H2_RESETS_PER_SECOND = 20;
/** After an answer that did not come, its session has this long to show that it is alive. */
export const H2_PING_MS = 2_000;
/** Time that an issuer gets for its keys. */
export const JWKS_TIMEOUT_MS = 5_000;
/** After a fetch, unknown key ids cause no other one for this long: tokens must not be a way to flood it. */
export const JWKS_COOLDOWN_MS = 30_000;
/** Keys are fetched again when they are older. */
export const JWKS_FRESH_MS = 600_000;
/** And go on being used for this long when that fails. */
export const JWKS_STALE_MS = 3_600_000;
/** Pause after a fetch that failed. */
export const JWKS_RETRY_MS = 5_000;
export const MAX_JWKS_BYTES = 262_144;
export const MAX_JWKS_KEYS = 100;
/** Questions about tokens that may be under way to one authorization server. */
export const MAX_INTROSPECTIONS = 256;
export const MAX_INTROSPECTION_BYTES = 65_536;
