// What the publisher knows of one node.
import type { Timer } from '../../base/clock.ts'
import type { BundleState, WantedContent } from '../../controllers/ports/bundles.ts'
import { contentDigest, digestsOf, wireDigest } from '../../protocol/bundle/digest.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { type BundleVersions, newestVersion, oldestVersion } from '../../protocol/bundle/versions.ts'
import type { Digest, EnrolmentId, Revision, SequenceMark } from '../../protocol/ids.ts'
import type { PushTarget } from './push.ts'
import { type Allotted, nextAttemptMs, type Repair, type Seen, stageOf } from './rollout.ts'

/** The content as it will be signed, in which version, and its digest in that version. */
export interface Target {
  wanted: WantedContent
  content: BundleContent
  version: number
  digest: Digest
}

export interface NodeState {
  /** What is wanted now. */
  target?: Target
  /** The newest revision given. */
  allotted?: Allotted
  /** Its content, once this process knows it: published until its APPLY, though something else may be wanted by now. */
  given?: Target
  attempt: number
  minSequence?: SequenceMark
  tries: number
  repair?: Repair
  /** Clock.monotonic() of the last APPLY that concerned it. */
  appliedMs: number
  /** Since the content changed or the node came back. */
  pushes: number
  nextPushMs: number
  pushing?: AbortController
  /** Where it was last reached: a change of address or port leaves the agent there until it switches. */
  reachedAt?: PushTarget
  timer?: Timer
  attemptTimer?: Timer
  bootId?: string
  fresh: boolean
  /** Why the bundle cannot be written. */
  fault?: string
  /** The state that subscribers last heard of. */
  shown?: string
}

export function nodeState(allotted: Allotted | undefined, fresh: boolean): NodeState {
  const { attempt = 0, minSequence, tries = 0 } = allotted ?? {}
  return { allotted, attempt, minSequence, tries, appliedMs: 0, pushes: 0, nextPushMs: 0, fresh }
}

/**
 * What was given or is applied in an older version stays in it while its content does: a newer program on either side
 * publishes nothing anew. Anything else is written in the newest version the agent says it reads; before it has said,
 * in the oldest.
 */
export function targetOf(state: NodeState, wanted: WantedContent, seen: Seen, versions: BundleVersions): Target {
  const { attempt, minSequence } = state
  const content: BundleContent = { ...wanted, attempt, ...(minSequence && { minSequence }) }
  const said = digestsOf(content, versions)
  const readable = said.filter(({ version }) => seen.reads?.includes(version) ?? true)
  const held = [state.allotted?.digest, seen.applied?.digest]
  const found =
    held.map((digest) => readable.find((one) => one.digest === digest)).find((one) => one !== undefined) ??
    (seen.reads ? readable[0] : readable.at(-1))
  // Nobody can be told: sealing says why.
  const none = () => ({
    version: seen.reads ? newestVersion(versions) : oldestVersion(versions),
    digest: contentDigest(content),
  })
  return { wanted, content, ...(found ?? none()) }
}

/** Does the agent read other versions of ours, and not this one? */
export const isUnread = (target: Target, seen: Seen): boolean =>
  seen.reads !== undefined && !seen.unreadable && !seen.reads.includes(target.version)

/** What the record will say of a target under its revision. `before`: the record of the same enrolment. */
export function allot(
  state: NodeState,
  target: Target,
  given: { revision: Revision; enrolmentId: EnrolmentId; nowMs: number },
  before: Allotted | undefined,
  seen: Seen,
): Allotted {
  const authorities = wireDigest(target.content.authorities)
  const unfinished = before?.onReceipt === true && seen.applied?.digest !== before.digest
  return {
    revision: given.revision,
    digest: target.digest,
    attempt: target.content.attempt,
    minSequence: target.content.minSequence,
    enrolmentId: given.enrolmentId,
    authorities,
    onReceipt: before === undefined || unfinished || before.authorities !== authorities,
    tries: state.tries,
    publishedMs: given.nowMs,
  }
}

/** What controllers see. `allotted`: absent while the target has no revision. */
export function bundleStateOf(
  { target, fault }: NodeState,
  allotted: Allotted | undefined,
  seen: Seen,
  about: { enrolled: boolean; braked: boolean; startedMs: number },
): BundleState {
  if (!target) return { stage: 'None', held: false }
  const { digest, wanted: content } = target
  if (!allotted)
    return { digest, content, stage: 'Pending', held: false, reason: about.enrolled ? 'Changed' : 'NotEnrolled' }
  const base = { revision: allotted.revision, digest, content }
  const stage = stageOf(digest, seen)
  if (fault && stage !== 'Applied') return { ...base, stage: 'Refused', held: false, reason: fault }
  switch (stage) {
    case 'Applied':
      return { ...base, stage, held: false }
    case 'Refused':
      return { ...base, stage, held: false, reason: 'NoCommonBundleVersion' }
    case 'Reverted': {
      const held = nextAttemptMs(allotted, about.startedMs) === undefined
      return { ...base, stage, held, reason: held ? 'RevertedHeld' : 'RevertedTriedAgain' }
    }
    default: {
      const away = seen.liveness === 'Fresh' ? undefined : 'NotConnected'
      return { ...base, stage, held: false, reason: about.braked ? 'Braked' : away }
    }
  }
}
