//! Every bound in the program, here and in the folder beside, named with its unit. No other file may hold a bare number that
//! limits something.
//!
//! What a deployment may want to change stands in its configuration; these are the values that hold for everybody.

use std::time::Duration;

mod text;

pub use text::*;

// === names (S3: "Object key naming guidelines", "Bucket naming rules")

/// Longest object key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Shortest bucket name, in bytes.
pub const BUCKET_BYTES_MIN: usize = 3;
/// Longest bucket name, in bytes.
pub const BUCKET_BYTES_MAX: usize = 63;

/// The region that we say we are; SDKs sign for it.
pub const REGION: &str = "tracegate";

// === requests

/// Largest header block of a request, in bytes.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of answers on one connection that wait in the kernel for their turn to be sent (Linux: `TCP_NOTSENT_LOWAT`).
pub const UNSENT_BYTES_MAX: u32 = 512 * 1024;
/// Most header lines of a request.
pub const HEADERS_MAX: usize = 100;
/// Longest request target (path and query), in bytes.
pub const URI_BYTES_MAX: usize = 16 * 1024;
/// Most query parameters of a request.
pub const QUERY_PARAMS_MAX: usize = 64;
/// Largest XML body that an operation may carry, in bytes.
pub const XML_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Largest form body at a token door (`POST /`), in bytes.
pub const FORM_BODY_BYTES_MAX: usize = 64 * 1024;
/// Time that a client has for its header block.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that a client has for a TLS handshake.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most requests at a time on one HTTP/2 connection.
pub const H2_STREAMS_MAX: u32 = 100;
/// Bytes of one HTTP/2 response that wait for the peer's window.
pub const H2_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// How often an idle HTTP/2 connection is asked for a sign of life, and how long it may take to give one.
pub const H2_PING: Duration = Duration::from_secs(30);
/// How often the files of the certificate are looked at.
pub const TLS_POLL: Duration = Duration::from_secs(5);
/// Most open connections of one listener.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Most open connections of one client address, over all listeners, where the configuration says nothing; many clients
/// may share one behind a network's gateway.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 2_000;
/// Network of an IPv6 client by which its connections are counted, in bits: a single machine has that many addresses.
pub const CLIENT_NETWORK_V6_BITS: u8 = 64;
/// Age up to which `/readyz` tells what it knows of the backend instead of asking it.
pub const READY_AGE_MAX: Duration = Duration::from_secs(2);
/// Time that the backend has to show that a bucket can be read, for `/readyz`.
pub const READY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without progress in writing a response after which its connection is closed.
pub const WRITE_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Time that requests in flight have to finish when the server stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

// === writes

/// Largest body of one PutObject or UploadPart, in bytes (S3: 5 GiB).
pub const UPLOAD_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Time without a byte of an upload's body after which it is given up.
pub const UPLOAD_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Most parts of an upload, and the highest number of one (S3).
pub const PARTS_MAX: u32 = 10_000;
/// Largest body of CompleteMultipartUpload, in bytes: [`PARTS_MAX`] parts with their checksums.
pub const COMPLETE_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Smallest part of an upload but its last, in bytes (S3: 5 MiB).
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Bodies of XML that are read at a time; further ones wait.
pub const XML_BODIES_MAX: usize = 64;
/// Time that a client has for a body of XML, and to wait for its turn.
pub const XML_BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Most keys of one DeleteObjects (S3).
pub const DELETES_MAX: usize = 1000;
/// Most tags of an object (S3).
pub const TAGS_MAX: usize = 10;
/// Longest key of a tag, in characters (S3).
pub const TAG_KEY_CHARS_MAX: usize = 128;
/// Longest value of a tag, in characters (S3).
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// Most user metadata of an object, in bytes of names and values (S3: 2 KB).
pub const USER_METADATA_BYTES_MAX: usize = 2048;
/// Longest id of an upload that is read, in bytes.
pub const UPLOAD_ID_BYTES_MAX: usize = 4096;
/// Longest line of `aws-chunked` framing, in bytes.
pub const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Most trailers of an upload, in bytes.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Quiet time of a long answer (CompleteMultipartUpload, CopyObject) after which white space is sent, again and again.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Time that the backend has for a copy, or to put an object together.
pub const BACKEND_COPY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

// === signatures and sessions

/// How far a request's own time may lie from ours (AWS Signature Version 4).
pub const SIGNATURE_SKEW: Duration = Duration::from_secs(15 * 60);
/// Longest life of a presigned URL (AWS Signature Version 4).
pub const PRESIGN_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shortest session that can be asked for (STS `DurationSeconds`).
pub const SESSION_LIFETIME_MIN: Duration = Duration::from_secs(15 * 60);
/// How often the demo renews its personas' tokens.
pub const DEMO_TOKEN_RENEWAL: Duration = Duration::from_secs(3600);
/// Longest session of any role.
pub const SESSION_LIFETIME_MAX: Duration = Duration::from_secs(12 * 3600);
/// Session length where neither the role nor the request says one.
pub const SESSION_LIFETIME_DEFAULT: Duration = Duration::from_secs(3600);
/// Longest sealed session token, in bytes; 12,000 passed every client that was tried.
pub const SESSION_TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Values of one claim, by which one bind admits somebody, that a session carries.
pub const ADMITTING_VALUES_MAX: usize = 8;
/// Longest ID or access token that a door reads, in bytes (the STS model of the SDKs allows 20,000).
pub const JWT_BYTES_MAX: usize = 20_000;
/// Clock difference that a token's `exp`, `nbf` and `iat` may show.
pub const JWT_SKEW: Duration = Duration::from_secs(60);
/// Longest life of an identity provider's token that is believed.
pub const JWT_LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Largest discovery document or key set, in bytes.
pub const JWKS_BYTES_MAX: usize = 1024 * 1024;
/// Most keys of one issuer that are kept.
pub const JWKS_KEYS_MAX: usize = 64;
/// Time that an identity provider has to answer.
pub const JWKS_TIMEOUT: Duration = Duration::from_secs(5);
/// Shortest time between two refreshes of one issuer's keys.
pub const JWKS_REFRESH_MIN: Duration = Duration::from_secs(10);
/// Age at which an issuer's keys are fetched anew.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(3600);
/// Age up to which keys are still believed while the provider does not answer.
pub const JWKS_STALE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Unknown key ids of one issuer that are remembered as unknown.
pub const JWKS_UNKNOWN_KIDS_MAX: u64 = 1024;
/// Time for which an issuer's unknown key id is remembered as unknown.
pub const JWKS_UNKNOWN_TTL: Duration = Duration::from_secs(30);
/// Longest key id (`kid`) of a token, in bytes.
pub const JWT_KID_BYTES_MAX: usize = 256;
/// Longest subject of a token, in bytes (OpenID Connect Core: 255).
pub const JWT_SUBJECT_BYTES_MAX: usize = 255;
/// Verified tokens that are kept, so that a bearer token's signature is checked once.
pub const VERIFIED_TOKENS_MAX: u64 = 1024;
/// Sessions whose tokens are kept opened.
pub const OPENED_SESSIONS_MAX: u64 = 4096;
/// Shortest `RoleSessionName`, in bytes (STS).
pub const SESSION_NAME_BYTES_MIN: usize = 2;
/// Longest `RoleSessionName`, in bytes (STS).
pub const SESSION_NAME_BYTES_MAX: usize = 64;
/// Requests that one client network may make at the token doors in a burst.
pub const DOOR_BURST: u32 = 120;
/// Requests at the token doors that one client network gets back each second.
pub const DOOR_REFILL_PER_SECOND: u32 = 10;
/// Client networks whose use of the token doors is counted; further ones wait.
pub const DOOR_NETWORKS_MAX: usize = 16 * 1024;
/// Groups that one token may list.
pub const GROUPS_MAX: usize = 1000;
/// How often the list of revocations is read anew.
pub const REVOCATION_POLL: Duration = Duration::from_secs(2);
/// Most revocations of one control store.
pub const REVOCATIONS_MAX: u32 = 100_000;
/// Times that the log of revocations may have been sealed anew with another key.
pub const REVOCATION_FOLDERS_MAX: u32 = 1_000;
/// Largest revocation, in bytes.
pub const REVOCATION_BYTES_MAX: u64 = 16 * 1024;
/// Age of the list of revocations after which nobody is served.
pub const REVOCATION_STALE_MAX: Duration = Duration::from_secs(60);

// === policy

/// Largest policy file, in bytes.
pub const POLICY_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Most files of a policy set.
pub const POLICY_FILES_MAX: usize = 1000;
/// Longest glob, in bytes.
pub const GLOB_BYTES_MAX: usize = 1024;
/// Largest value of a claim that may stand in a path, in bytes.
pub const CLAIM_VALUE_BYTES_MAX: usize = 64;
/// Most values of one claim that are put into a path.
pub const CLAIM_VALUES_MAX: usize = 64;
/// Largest dense automaton of one role, in bytes; above it the lazy one is used.
pub const AUTOMATON_DENSE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest cache of a lazy automaton, in bytes.
pub const AUTOMATON_LAZY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Automata (one per role and claim values) that are kept.
pub const AUTOMATA_MAX: u64 = 1024;
/// Memory of all automata that are kept, in bytes.
pub const AUTOMATA_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Memory that building a dense automaton may take, in bytes; beyond it the lazy one is used.
pub const AUTOMATON_DETERMINIZE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest nondeterministic automaton of one role, in bytes; globs that need more are refused.
pub const AUTOMATON_NFA_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Combinations of claim values that one glob may stand for.
pub const GLOB_EXPANSIONS_MAX: usize = 1024;
/// Most globs of one rule or profile.
pub const RULE_GLOBS_MAX: usize = 1000;
/// Most `[[allow]]` of one role (a verdict is a set of them in one machine word).
pub const ALLOWS_MAX: usize = 64;
/// Most `[[deny]]` of one file.
pub const DENIES_MAX: usize = 1000;
/// Most `[[redact]]` profiles of a policy set (as with [`ALLOWS_MAX`]).
pub const PROFILES_MAX: usize = 64;
/// Longest field path of a redact profile, in bytes.
pub const FIELD_PATH_BYTES_MAX: usize = 512;
/// Longest condition on records (`rows`) of a redact profile, in bytes.
pub const ROWS_BYTES_MAX: usize = 4096;
/// Most tests in the conditions on records of a policy set (a set of tests is one machine word).
pub const ROW_TESTS_MAX: usize = 64;
/// Most values that one test of a record compares with, as they are listed.
pub const ROW_VALUES_MAX: usize = 256;
/// Most names in the path of a tested member.
pub const ROW_STEPS_MAX: usize = 16;
/// Most parentheses within each other in a condition on records.
pub const ROW_DEPTH_MAX: usize = 16;
/// Longest text that a record's member is compared with, in bytes, a claim in it left out.
pub const ROW_TEXT_BYTES_MAX: usize = 1024;
/// Longest value of a claim that a record's member is compared with, in bytes.
pub const ROW_CLAIM_BYTES_MAX: usize = 256;
/// Longest number that is compared, in bytes as written; a longer one fits no test.
pub const ROW_NUMBER_BYTES_MAX: usize = 64;
/// Most days that a key's date may lie back.
pub const KEY_DATE_DAYS_MAX: u32 = 36_500;
/// Sets of redact profiles, each compiled once, that are kept for one role.
pub const MASK_SETS_MAX: u64 = 1024;
/// Most names of user metadata, or keys of tags, that one profile may let through.
pub const SHOWN_NAMES_MAX: usize = 100;
/// Largest quota of objects a day.
pub const QUOTA_OBJECTS_MAX: u64 = 1_000_000_000_000;
/// Largest quota of requests a second.
pub const QUOTA_RATE_MAX: u32 = 1_000_000;
/// Roles and subjects whose writes of one day are counted apart; a further one with a quota waits for the next day.
pub const QUOTA_CALLERS_MAX: usize = 65_536;
/// Time for which a start waits until the day's writes are counted from the log, and again until buckets have shown what
/// they keep of conditional writes; it then goes on meanwhile.
pub const START_PATIENCE: Duration = Duration::from_secs(2);
/// Time after a failed trial of what a bucket's store keeps (conditional writes, empty segments of keys) until the next one.
pub const TRIAL_RETRY: Duration = Duration::from_secs(5);
/// How often the policy folder is looked at for changes.
pub const POLICY_POLL: Duration = Duration::from_secs(1);

// === log

/// Largest entry of the log, in bytes (C2SP tlog-tiles allows 65,535).
pub const ENTRY_BYTES_MAX: usize = 32 * 1024;
/// Size of one segment file of the log, in bytes.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Space of a segment that only outcomes may use, in bytes.
pub const SEGMENT_RESERVE_BYTES: u64 = 1024 * 1024;
/// Entries that wait for the disk; above it requests are refused with `SlowDown`.
pub const JOURNAL_QUEUE_MAX: usize = 8192;
/// Largest outcome in the log, in bytes with its frame; so much is kept free for every request in flight.
pub const OUTCOME_BYTES_MAX: u64 = 8 * 1024;
/// Most bytes of entries that are written and synced at once.
pub const JOURNAL_BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Time for which an outcome may wait for another entry to be written with.
pub const OUTCOME_LINGER: Duration = Duration::from_millis(5);
/// How often the journal looks at the free space, at what was refused, and at what ends its retention.
pub const JOURNAL_TICK: Duration = Duration::from_secs(1);
/// Free space of the log's disk below which a warning shows, in bytes, where the configuration says nothing.
pub const LOG_SPACE_WARN_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Free space of the log's disk below which nothing new is served, in bytes, where the configuration says nothing.
pub const LOG_SPACE_MIN_BYTES: u64 = 512 * 1024 * 1024;
/// Least value of `space_min`, in bytes: room for another segment.
pub const LOG_SPACE_FLOOR_BYTES: u64 = SEGMENT_BYTES;
/// Hashes of a full tile of the log's tree (C2SP tlog-tiles).
pub const TILE_HASHES: usize = 256;
/// Levels of the tree that a tile stands for: `TILE_HASHES` is 2 to the power of it.
pub const TILE_HEIGHT: u32 = 8;
/// Highest level of tiles that a tree of 2^64 entries has.
pub const TILE_LEVEL_MAX: u8 = 7;
/// How often the log's tree is signed, while entries are added to it. An entry is in a signed tree within a second.
pub const LOG_SIGN_EVERY: Duration = Duration::from_millis(500);
/// How often a signed checkpoint is kept for good, beside the newest.
pub const LOG_KEEP_EVERY: Duration = Duration::from_secs(3600);
/// Largest signed note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Most signatures of a note that is read (C2SP signed-note asks for 16 at least).
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// Largest proof of an entry that is read, in bytes.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;
/// Entries before and behind a wrong one of the log among which it is looked for what was done to it.
pub const TAMPER_WINDOW: usize = 64 * 1024;
/// Longest name of a log, in bytes.
pub const LOG_ORIGIN_BYTES_MAX: usize = 255;
/// Longest key, prefix or sentence in an entry, in bytes as escaped. A key with every byte escaped still fits.
pub const LOG_NAME_BYTES_MAX: usize = 2 * KEY_BYTES_MAX + 128;
/// Longest other text of a caller (user agent, subject…) in an entry, in bytes as escaped.
pub const LOG_TEXT_BYTES_MAX: usize = 1024;
/// Longest word (entity tag, session, profile…) in an entry, in bytes as escaped.
pub const LOG_WORD_BYTES_MAX: usize = 128;
/// Paths that an entry holds behind its first.
pub const LOG_PATHS_MAX: usize = 4;
/// Entity tags of one condition that an entry holds.
pub const LOG_TAGS_MAX: usize = 16;
/// Profiles that an outcome counts apart; the rest are counted together.
pub const LOG_PROFILES_MAX: usize = 24;
/// How often a follower looks for new entries.
pub const LOG_FOLLOW_POLL: Duration = Duration::from_millis(250);
/// Keys of a listing that one blob of the log may hold (the most that a page may show).
pub const LISTED_KEYS_MAX: usize = 1000;
/// Network of an IPv4 caller by which refusals are counted together, in bits.
pub const REFUSAL_NETWORK_V4_BITS: u8 = 24;
/// Network of an IPv6 caller by which refusals are counted together, in bits.
pub const REFUSAL_NETWORK_V6_BITS: u8 = 48;
/// Time over which refusals of one network and reason become one entry.
pub const REFUSAL_WINDOW: Duration = Duration::from_secs(10);
/// Networks and reasons that are counted apart within one window; the rest are counted together.
pub const REFUSAL_BUCKETS_MAX: usize = 1024;
/// Space of a segment that summaries of refusals may use, as one part of so many.
pub const REFUSAL_SPACE_PART: u64 = 100;

// === listings

/// Most keys and common prefixes of a page (S3: 1000).
pub const PAGE_KEYS_MAX: u32 = 1000;
/// Longest marker or continuation token that is read, in bytes.
pub const PAGE_TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Backend pages that one page of ours may cost; then it is returned short, with a token to go on.
pub const LIST_BACKEND_PAGES_MAX: u32 = 16;
/// Questions about the order in which a store lists that one page of ours may cost besides; then it is returned short.
pub const LIST_ORDER_QUESTIONS_MAX: u32 = 32;
/// Keys that the first look below a common prefix asks for; each further look of the page asks for four times as many.
pub const LIST_PROBE_KEYS: u32 = 64;
/// Longest place that a continuation token holds, in bytes: longer than any key by more than one character.
pub const LIST_PLACE_BYTES_MAX: usize = KEY_BYTES_MAX + 4;
/// Empty pages in a row of the backend that are followed, where it says that more keys come.
pub const LIST_EMPTY_PAGES_MAX: u32 = 8;

// === redaction

/// Bytes of a document, or of a record, that are held back until they are known to be sound.
pub const HOLD_BYTES_MAX: usize = 64 * 1024;
/// Fewest bytes of a piece that is redacted on a thread of its own; below it, asking for one costs more than it brings.
pub const REDACT_ASIDE_BYTES_MIN: usize = 96 * 1024;
/// Deepest nesting of arrays and objects.
pub const JSON_DEPTH_MAX: usize = 1024;
/// Longest member name, in bytes as written.
pub const JSON_NAME_BYTES_MAX: usize = 4096;
/// Characters of a text that `action = "partial"` shows: its last ones.
pub const PARTIAL_CHARACTERS_SHOWN: usize = 4;
/// Fewest characters of a text of which any are shown so; of a shorter one too little would stay hidden.
pub const PARTIAL_CHARACTERS_MIN: usize = 12;
/// Least step in which sizes are rounded up where lengths are hidden, in bytes.
pub const SIZE_STEP_BYTES_MIN: u64 = 64;
/// Sizes are rounded up by less than one part in two to this power, where the least step is not more.
pub const SIZE_STEP_BITS: u32 = 4;
/// Bytes before a range, within one document or record, that are read to reach it, where nobody has read them before.
pub const RANGE_AHEAD_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Bytes before a range that are read to reach it where lengths are hidden.
pub const HIDDEN_AHEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Ranges for which more than [`CHECKPOINT_NEAR`] is read ahead at a time; others wait.
pub const RANGE_READERS_MAX: usize = 4;
/// Time that a range may wait for its first byte; what was read meanwhile is known when it is asked for again.
pub const RANGE_TIME: Duration = Duration::from_secs(5 * 60);
/// Time after which a range looks whether whom it waits for gets on.
pub const RANGE_STALL: Duration = Duration::from_secs(5);
/// Least distance between two checkpoints of one object, in bytes.
pub const CHECKPOINT_EVERY: u64 = 1024 * 1024;
/// Distance before a range, in bytes, that is read at once, with no wait for anybody.
pub const CHECKPOINT_NEAR: u64 = 2 * CHECKPOINT_EVERY;
/// Largest checkpoint, in bytes; where it would be larger, as deep within nested values, none is placed.
pub const CHECKPOINT_BYTES_MAX: usize = 8704;
/// Checkpoints of one object under one view, in bytes; at more of them every second one goes.
pub const TRAIL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Least that an object with checkpoints counts for among all, in bytes.
pub const TRAIL_BYTES_MIN: usize = 1024;
/// All checkpoints, in bytes.
pub const CHECKPOINTS_BYTES: u64 = 64 * 1024 * 1024;
/// How long checkpoints are kept that nobody asks for.
pub const CHECKPOINTS_IDLE: Duration = Duration::from_secs(3600);
/// Levels at which strings are read as JSON: one within a text of the last of them is not shown if it begins as JSON does.
pub const EMBEDDED_LEVELS_MAX: usize = 3;
/// Bytes of a string that are read as JSON at once.
pub const EMBEDDED_WINDOW_BYTES: usize = 4096;
/// First look back from a range's start for the record that it lies in, in bytes; four times as far each time until found.
pub const LOOK_BACK_BYTES: u64 = 64 * 1024;
/// Furthest look back of any range, in bytes.
pub const LOOK_BACK_NEAR: u64 = 1024 * 1024;
/// Furthest look back where nobody has read the record, in bytes.
pub const LOOK_BACK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Looks back that far into one object that may fail; then its records are taken for longer.
pub const LOOK_BACKS_FAR: u32 = 4;
/// Bytes of an object that are looked at to tell how it is framed, where its name does not tell.
pub const SNIFFED_BYTES: u64 = HOLD_BYTES_MAX as u64;
/// Largest automaton of globs over members' names, in bytes; a plan whose globs need more has several.
pub const FIELD_GLOBS_BYTES_MAX: usize = 256 * 1024;
/// Compiled redaction plans that are kept.
pub const PLANS_MAX: u64 = 4096;

// === the real bucket

/// Time to reach the backend.
pub const BACKEND_CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// Time to the backend's response head.
pub const BACKEND_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time without a byte of a backend's body.
pub const BACKEND_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that an unused connection to the backend is kept; shorter than that of common load balancers.
pub const BACKEND_POOL_IDLE: Duration = Duration::from_secs(15);
/// Unused connections to one address of the backend that are kept; a further one is closed.
pub const BACKEND_POOL_MAX: usize = 256;
/// What the buffers of the unused connections to one address of the backend may have between them, in bytes; a connection
/// beyond it is closed.
pub const BACKEND_POOL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often unused connections are looked through for those that ended or were kept for long enough.
pub const BACKEND_POOL_SWEEP: Duration = Duration::from_secs(5);
/// Largest head of a response of the backend, in bytes. It has at most 100 header lines (hyper's own bound).
pub const BACKEND_HEAD_BYTES_MAX: usize = 64 * 1024;
/// What the bodies that arrive read at once between them, in bytes, where that leaves each as much as the next but one bound.
pub const BACKEND_READ_BYTES_TOTAL: usize = 1024 * 1024;
/// Most bytes of a body that are read from the backend at once: where one arrives alone. A stream holds up to three such pieces:
/// read, redacted, on its way out.
pub const BACKEND_READ_BYTES_MAX: usize = BACKEND_READ_BYTES_TOTAL;
/// Bytes that each body may read at once, however many arrive. Its buffer has twice as many (hyper's halves no further).
pub const BACKEND_READ_BYTES_MIN: usize = 8 * 1024;
/// Largest error document of the backend that is read, in bytes; of a larger one only the status counts.
pub const BACKEND_ERROR_BYTES_MAX: usize = 64 * 1024;
/// Longest page of a listing of the backend, in bytes: a thousand keys with every byte percent-encoded fit twice. It has at
/// most the entries that were asked for, of which there are at most [`PAGE_KEYS_MAX`].
pub const BACKEND_LISTING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest nesting of a document of the backend.
pub const XML_DEPTH_MAX: usize = 16;
/// Time that the source of the façade's own credential has to give it.
pub const BACKEND_CREDENTIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for which that source is left alone after a failure; twice as long after each further one.
pub const BACKEND_CREDENTIAL_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// Longest of these times.
pub const BACKEND_CREDENTIAL_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Age at which the façade's own credential is asked for anew, if it does not end earlier.
pub const BACKEND_CREDENTIAL_AGE_MAX: Duration = Duration::from_secs(15 * 60);
/// Time before its end at which the façade's own credential is asked for anew.
pub const BACKEND_CREDENTIAL_AHEAD: Duration = Duration::from_secs(60);
/// Largest chunk in which the embedded bucket gives a body, in bytes.
pub const MEMORY_CHUNK_BYTES: usize = 128 * 1024;

// === the lock of the real bucket

/// Longest ARN of a principal, in bytes (IAM: paths of 512, names of 64 characters).
pub const PRINCIPAL_BYTES_MAX: usize = 640;
/// Most principals, of either kind, that a lock leaves in.
pub const PRINCIPALS_MAX: usize = 32;
/// Longest document whose difference is aligned line by line, in lines; longer ones are told as old and new.
pub const LOCK_DIFF_LINES_MAX: usize = 2000;
/// Largest file of kept documents, in bytes (S3 allows a bucket policy of 20 KiB).
pub const LOCK_KEPT_BYTES_MAX: u64 = 256 * 1024;
/// Looks at a document that was put, until it reads back.
pub const LOCK_READ_BACK_TRIES: u32 = 6;
/// Time between two of these looks.
pub const LOCK_READ_BACK_PAUSE: Duration = Duration::from_millis(500);
/// How often a running façade verifies the lock that it requires.
pub const LOCK_VERIFY_EVERY: Duration = Duration::from_secs(3600);

// === compressed objects

/// Largest window of zstd that is decoded, as a power of two of bytes: what `zstd -19` makes.
pub const UNPACK_WINDOW_LOG_MAX: u32 = 23;
/// What any object may unpack to, in bytes.
pub const UNPACKED_BYTES_FREE: u64 = 16 * 1024 * 1024;
/// Beyond that, bytes that one byte may unpack to.
pub const UNPACK_RATIO_MAX: u64 = 200;
/// Most that an object may unpack to, in bytes.
pub const UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Objects that are rendered at a time; others wait.
pub const RENDERS_MAX: usize = 2;
/// Objects that are rendered at a time for one caller; less than [`RENDERS_MAX`], so that nobody has all turns.
pub const RENDERS_PER_CALLER_MAX: usize = 1;
/// Time for which one goes on that nobody waits for any more: clients that give up ask again.
pub const RENDER_LINGER: Duration = Duration::from_secs(30);
/// Most time that one rendering may take.
pub const RENDER_TIME: Duration = Duration::from_secs(15 * 60);
/// Renderings that are kept; each has a file open.
pub const RENDERINGS_MAX: u32 = 512;
/// Objects of which is remembered that they cannot be rendered.
pub const UNRENDERED_MAX: u64 = 4096;
/// How long that is remembered.
pub const UNRENDERED_TIME: Duration = Duration::from_secs(600);
/// How long a rendering is kept that nobody asks for.
pub const RENDERING_IDLE: Duration = Duration::from_secs(3600);
/// What all renderings take on the disk unless the configuration says otherwise, in bytes.
pub const RENDERINGS_BYTES: u64 = 4 * 1024 * 1024 * 1024;

// === scans

/// How often a scan keeps its state.
pub const SCAN_SAVE_EVERY: Duration = Duration::from_secs(2);
/// Tries of a request of a scan that the backend fails.
pub const SCAN_TRIES: u32 = 4;
/// Pause before the second try of these; four times as long before each further one.
pub const SCAN_RETRY_FIRST: Duration = Duration::from_millis(250);
