// One act of joining (DESIGN 7.4). Pure: what the desk sees and what the operator wrote, into what happens next.
//
//   first sight        the window begins, the ceremony opens
//   digits typed       the same as ours: that machine's keys are written down; other digits: Denied
//   Approve            once a person at the machine has confirmed as well, that is written down; then enrolled; the
//                      answer goes out
//   Deny, too late, five wrong codes, other digits at the machine: an end that never changes
import { BURNED_AT, CEREMONY_REFUSALS, type CeremonyRefusal } from '../../api/ceremony.ts'
import { FINALIZER } from '../../api/meta.ts'
import { readiness } from '../../api/readiness/index.ts'
import type { PairingFacts } from '../../api/readiness/pairing.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { PairingPhase } from '../../api/v1alpha1/pairing.ts'
import { conditions } from '../common/conditions.ts'
import type { Answers, Effect } from '../common/effects.ts'
import { isPaused, statusEffect, verdictEvent } from '../common/status.ts'
import type { CeremonyView, OpenCeremony } from '../ports/ceremonies.ts'
import type { PairingCode } from '../ports/pairing-codes.ts'
import { type PairingRecord, pairingRecord } from './record.ts'

export type PairingObject = PpnObject<'Pairing'>

/** A code lives this long (section 7.4). */
export const WINDOW_MS = 600_000
/** An ended Pairing stays to be read. */
const KEPT_MS = 3_600_000
/** Nobody tells of Secrets: one that cannot be read is looked at again. */
const AGAIN_FOR_SECRET: Effect = { type: 'again', afterMs: 5_000 }

export interface PairingObserved {
  nowMs: number
  record: PairingRecord | undefined
  view: CeremonyView
  /** The Pairing that has the rendezvous now. */
  holder: string | undefined
  unavailable: string | undefined
  /** undefined: it is in a Secret, and there are none here. */
  code?: PairingCode
  /** The Node that the machine will be. */
  node: { uid: string; name: string } | undefined
  /** Made by `ppn pair` rather than declared in a folder. */
  act: boolean
  answers: Answers
}

type End = NonNullable<PairingRecord['end']>
type Stage = PairingFacts['stage']

const sameKeys = (a: NodeIdentity | undefined, b: NodeIdentity | undefined): boolean =>
  a !== undefined &&
  a.wireguardPublicKey === b?.wireguardPublicKey &&
  a.commandPublicKey === b.commandPublicKey &&
  a.signingPublicKey === b.signingPublicKey

export function planPairing(pairing: PairingObject, observed: PairingObserved): Effect[] {
  const { deletionTimestamp, finalizers, uid } = pairing.metadata
  const owned = finalizers.includes(FINALIZER)
  const deleting = deletionTimestamp !== undefined
  if (deleting && !owned) return []
  if (isPaused(pairing)) return tell(pairing, observed, { deleting, stage: 'Pending' })
  if (deleting)
    return [
      { type: 'closeCeremony', reason: 'Withdrawn' },
      { type: 'record', key: pairingRecord(uid), value: undefined },
      { type: 'removeFinalizer' },
    ]
  const first: Effect[] = owned ? [] : [{ type: 'addFinalizer' }]
  return [...first, ...planOpen(pairing, observed)]
}

function planOpen(pairing: PairingObject, observed: PairingObserved): Effect[] {
  const { record, nowMs, view } = observed
  if (record?.end) return planEnded(pairing, observed, record, record.end)
  const current = record ?? { startedMs: nowMs }
  if (isDecided(current) && observed.node) return planDecided(pairing, observed, current, observed.node)
  const ending = endOf(pairing, observed, current)
  if (ending) return end(pairing, observed, current, ending)

  const obstacle = obstacleOf(pairing, observed)
  const first: Effect[] = record ? [] : [write(pairing, current)]
  if (obstacle !== 'none')
    return [
      ...first,
      ...tell(pairing, observed, { stage: 'Pending', obstacle }),
      ...(obstacle === 'SecretUnreadable' ? [AGAIN_FOR_SECRET] : later(current, nowMs)),
    ]

  const session = view.session
  const { sas, trustCode } = pairing.spec
  const typed = trustCode === true || (sas !== undefined && session?.sas === sas)
  const matched = current.matched ?? (typed ? session?.identity : undefined)
  const noted: PairingRecord = matched ? { ...current, matched } : current
  const writing: Effect[] = matched && !current.matched ? [write(pairing, noted)] : first
  const stage = stageOf(pairing, observed, matched)
  if (stage === 'Approved' && session && observed.node) {
    const by = session.node === 'trustCode' || trustCode ? 'trustCode' : 'person'
    const decided = { by, identity: session.identity } as const
    return planDecided(pairing, observed, { ...noted, decided }, observed.node)
  }
  return [
    ...writing,
    ...open(pairing, noted, observed),
    ...tell(pairing, observed, { stage }),
    ...later(current, nowMs),
  ]
}

type Decided = PairingRecord & Required<Pick<PairingRecord, 'decided'>>
const isDecided = (record: PairingRecord): record is Decided => record.decided !== undefined

/**
 * Written down before the registry is: an authority that ends between the two, a line lost or a code burned meanwhile
 * would otherwise leave a machine that is enrolled and a Pairing that says nobody joined.
 */
function planDecided(
  pairing: PairingObject,
  observed: PairingObserved,
  record: Decided,
  node: { uid: string; name: string },
): Effect[] {
  const { nowMs } = observed
  const { enrol } = observed.answers
  const replace = pairing.spec.replace ?? false
  if (!enrol) return [{ type: 'enrolPaired', node, ...record.decided, replace, because: recordOf(pairing, record) }]
  if (!enrol.ok) return end(pairing, observed, record, { phase: 'Denied', atMs: nowMs, why: enrol.reason })
  return end(pairing, observed, record, { phase: 'Approved', atMs: nowMs })
}

const recordOf = ({ metadata }: PairingObject, value: PairingRecord) => ({ key: pairingRecord(metadata.uid), value })
const write = (pairing: PairingObject, value: PairingRecord): Effect => ({
  type: 'record',
  ...recordOf(pairing, value),
})
const later = (record: PairingRecord, nowMs: number): Effect[] => [
  { type: 'again', afterMs: Math.max(0, record.startedMs + WINDOW_MS - nowMs) },
]

/** Nothing, once its Secret is gone: what was opened before stays as it is. */
function open(pairing: PairingObject, record: PairingRecord, observed: PairingObserved): Effect[] {
  const { nodeName, rendezvous, address, grant } = pairing.spec
  if (!observed.code || 'why' in observed.code) return []
  const claim = address === undefined ? {} : { claim: { address, ...(grant !== undefined && { grant }) } }
  const until = record.end?.phase === 'Approved' ? record.end.atMs + KEPT_MS : record.startedMs + WINDOW_MS
  const settled = record.matched !== undefined && { settled: true as const }
  const enrolled = record.end?.phase === 'Approved' && record.matched !== undefined && { enrolled: record.matched }
  const { uid } = pairing.metadata
  const ceremony = { uid, nodeName, rendezvous, untilMs: until, ...claim, ...settled, ...enrolled }
  const fromSecret = pairing.spec.code === undefined
  return [{ type: 'openCeremony', ceremony: withCode(ceremony, observed.code.code, fromSecret) }]
}

/** A code out of a Secret is not enumerable: what is shown of a plan does not hold it. */
function withCode(ceremony: Omit<OpenCeremony, 'code'>, code: string, hidden: boolean): OpenCeremony {
  return Object.defineProperty({ ...ceremony } as OpenCeremony, 'code', { value: code, enumerable: !hidden })
}

function obstacleOf(
  { metadata, spec }: PairingObject,
  { holder, unavailable, code }: PairingObserved,
): PairingFacts['obstacle'] {
  if (!code) return 'SecretNeedsCluster'
  if ('why' in code) return 'SecretUnreadable'
  if (unavailable !== undefined && spec.address === undefined) return 'NotServed'
  return holder !== undefined && holder !== metadata.uid ? 'RendezvousTaken' : 'none'
}

/** What ends it now, but for success. */
function endOf(pairing: PairingObject, { nowMs, view }: PairingObserved, record: PairingRecord): End | undefined {
  const { spec } = pairing
  const session = view.session
  const denied = (why: CeremonyRefusal): End => ({ phase: 'Denied', atMs: nowMs, why })
  if (spec.decision === 'Deny') return denied('Denied')
  if (view.failures >= BURNED_AT) return { phase: 'Burned', atMs: nowMs, why: 'Burned' }
  if (session?.node === 'differs') return denied('DigitsDiffer')
  // A code that was typed wrong is not guessed at: the machine answers once a minute, whoever asks.
  if (spec.address !== undefined && view.failures > 0) return denied('CodeWrong')
  const strange = record.matched
    ? !sameKeys(record.matched, session?.identity)
    : spec.sas !== undefined && spec.sas !== session?.sas
  if (session && strange) return denied('DigitsDiffer')
  if (nowMs >= record.startedMs + WINDOW_MS) return { phase: 'Expired', atMs: nowMs, why: 'Expired' }
  return undefined
}

function stageOf({ spec }: PairingObject, { view, node }: PairingObserved, matched: NodeIdentity | undefined): Stage {
  const session = view.session
  if (!session && view.exchanging && !matched) return 'Exchanged'
  if (!session && spec.address !== undefined) return 'Calling'
  if (!session) return matched ? 'AwaitMachine' : 'Pending'
  if (!matched) return 'AwaitDigits'
  if (spec.decision !== 'Approve') return 'AwaitDecision'
  if (!node) return 'NodeMissing'
  return session.node === 'silent' ? 'AwaitNode' : 'Approved'
}

function end(pairing: PairingObject, observed: PairingObserved, record: PairingRecord, ending: End): Effect[] {
  const ended = { ...record, end: ending }
  // Durable before anyone is told.
  return [write(pairing, ended), ...planEnded(pairing, observed, ended, ending)]
}

function planEnded(pairing: PairingObject, observed: PairingObserved, record: PairingRecord, ended: End): Effect[] {
  const left = ended.atMs + KEPT_MS - observed.nowMs
  const answer: Effect[] =
    ended.phase === 'Approved'
      ? open(pairing, record, observed)
      : [{ type: 'closeCeremony', reason: ended.why ?? 'Denied' }]
  const goes: Effect[] = !observed.act ? [] : left > 0 ? [{ type: 'again', afterMs: left }] : [{ type: 'removeAct' }]
  // A folder's Pairing stays, and its ceremony ends with the hour.
  if (left <= 0)
    return [
      { type: 'closeCeremony', reason: 'Expired' },
      ...tell(pairing, observed, { stage: ended.phase }, ended),
      ...goes,
    ]
  return [...answer, ...tell(pairing, observed, { stage: ended.phase }, ended), ...goes]
}

const PHASE_OF: Record<Stage, PairingPhase> = {
  Pending: 'Pending',
  Calling: 'Pending',
  Exchanged: 'Exchanged',
  AwaitDigits: 'AwaitingSAS',
  AwaitDecision: 'AwaitingSAS',
  AwaitNode: 'AwaitingSAS',
  AwaitMachine: 'AwaitingSAS',
  NodeMissing: 'AwaitingSAS',
  Approved: 'Approved',
  Denied: 'Denied',
  Expired: 'Expired',
  Burned: 'Burned',
}

function tell(
  pairing: PairingObject,
  { nowMs, view, unavailable, code }: PairingObserved,
  known: { stage: Stage; obstacle?: PairingFacts['obstacle']; deleting?: boolean },
  ended?: End,
): Effect[] {
  const { generation, name } = pairing.metadata
  const { stage, obstacle = 'none', deleting = false } = known
  const paused = isPaused(pairing)
  const found = readiness(
    'Pairing',
    { paused, deleting, obstacle, stage },
    {
      name,
      node: pairing.spec.nodeName,
      rendezvous: pairing.spec.rendezvous,
      failures: String(view.failures),
      hostname: view.session?.hostname,
      from: view.session?.from,
      unavailable,
      secret: code && 'why' in code ? code.why : undefined,
      address: pairing.spec.address,
      calling: view.calling ?? 'calls',
      why: CEREMONY_REFUSALS[ended?.why ?? 'Denied'],
    },
  )
  const status = {
    observedGeneration: generation,
    conditions: conditions(pairing.status?.conditions, found.conditions, generation, nowMs),
    phase: paused ? (pairing.status?.phase ?? ('Pending' as const)) : PHASE_OF[stage],
  }
  return [...statusEffect(pairing, status), ...verdictEvent(pairing, found)]
}
