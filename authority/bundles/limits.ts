// The publisher's figures, each with its reason.

/** Wants that come within this of each other share one revision: a reconcile of the whole fleet is one change. */
export const BATCH_IDLE_MS = 5
/** A steady trickle of wants waits no longer than this. */
export const BATCH_MAX_MS = 50
/**
 * From an APPLY to the next revision. Every revision is told to the whole mesh three times: while a large fleet comes
 * up, a node a revision would cost more than all the bundles. A single change never waits for this.
 */
export const REVISION_SPACING_MS = 250
/** APPLY goes out after this long without the nodes that have not staged yet (section 6). */
export const LAGGARD_MS = 5_000
/** A node that still shows a told bundle as staged after this has missed the APPLY: its copies went out in 300 ms. */
export const MISSED_APPLY_MS = 3_000
/** Pushes under way at once: enough to hide a round trip of 254 nodes, few enough for one event loop. */
export const PUSH_CONCURRENCY = 32
/** One push, from the dial to the last byte. */
export const PUSH_TIMEOUT_MS = 10_000
/** A pushed bundle that telemetry does not show is pushed again after these; the last one repeats. */
export const PUSH_RETRY_MS: readonly number[] = [2_000, 4_000, 8_000, 16_000, 32_000, 60_000]
/** How soon a set brake is looked at again. */
export const BRAKE_LOOK_MS = 1_000
/** A node deaf to commands is pushed to only while it has been heard of within this long. */
export const DEAF_HEARD_MS = 60_000
/** The agent's time to prove a switch: 60 s (section 7.2). */
const COMMIT_MS = 60_000
/**
 * An authority start this long after a publication may be why a node went back: the agent's 60 s count from the
 * switch, which comes up to LAGGARD_MS and a few retries of the APPLY after it.
 */
export const AUTHORITY_CHANGE_MS = COMMIT_MS + 2 * LAGGARD_MS
/** Attempts made without a person, and the pause before each. */
export const ATTEMPT_DELAY_MS: readonly number[] = [1_000, 10_000, 30_000]
