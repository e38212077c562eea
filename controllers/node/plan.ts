// What to do about a Node; pure.
//
// Expected flow: finalizer, address, keys, bundle, commands, status. A deletion goes: held until confirmed (law 3),
// blocked while archives or VMs are there, committed, SEVER, the hubs drop the peer, done when a hub's telemetry shows
// it gone. The node itself is never needed for that.
import { FINALIZER, keyOf } from '../../api/meta.ts'
import { type Readiness, readiness } from '../../api/readiness/index.ts'
import type { NodeFacts } from '../../api/readiness/node.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { Slot } from '../../protocol/ids.ts'
import { orphanRecord, SEVER_LEAD_MS } from '../bundle/members.ts'
import { rfc3339 } from '../common/conditions.ts'
import type { Effect } from '../common/effects.ts'
import { isNews, isOrphan, isPaused, statusEffect, verdictEvent } from '../common/status.ts'
import type { WantedCommand } from '../ports/commands.ts'
import { BLIND_AFTER_MS, isolateCommands, isolationShown } from './isolation.ts'
import type { NodeObject, NodeObserved } from './observe.ts'
import { endingEnrolment, severedRecord } from './severed.ts'
import { nodeStatus } from './status.ts'

export function planNode(node: NodeObject, observed: NodeObserved): Effect[] {
  const { deletionTimestamp, finalizers } = node.metadata
  const cut = cutOff(node, observed)
  if (cut) return cut
  // What was asked of the machine and not obeyed yet is not asked any longer either.
  if (isPaused(node)) return [...commandEffects(node, observed, []), ...report(node, observed)]
  if (deletionTimestamp === undefined) {
    const first: Effect[] = finalizers.includes(FINALIZER) ? [] : [{ type: 'addFinalizer' }]
    return [...first, ...converge(node, observed)]
  }
  if (!finalizers.includes(FINALIZER)) return []
  switch (deletionOf(node, observed)) {
    case 'orphaned':
      return orphan(node, observed)
    case 'severing':
      return teardown(node, observed)
    default:
      return converge(node, observed)
  }
}

/** A person took it off the mesh: after SEVER's lead its enrolment ends, and with it every peer entry. */
function cutOff(node: NodeObject, observed: NodeObserved): Effect[] | undefined {
  const { severed, enrolment, nowMs } = observed
  if (!severed || !endingEnrolment(severed, enrolment)) return undefined
  const passedMs = nowMs - severed.atMs
  // The wall clock may have jumped back: then the lead is over.
  if (passedMs >= 0 && passedMs < SEVER_LEAD_MS)
    return [...report(node, observed), { type: 'again', afterMs: SEVER_LEAD_MS - passedMs }]
  const { name } = node.metadata
  return [
    { type: 'commands', node: name, commands: [] },
    { type: 'withdrawBundle', node: name },
    { type: 'retire', reason: severed.how },
    { type: 'wake', keys: hubKeys(observed), reason: 'a peer is to go' },
    { type: 'again', afterMs: 0 },
  ]
}

const hubKeys = ({ otherHubs }: NodeObserved) => otherHubs.map(({ name }) => keyOf('Node', name))

/** Address, keys, bundle, commands; each needs the one before. */
function converge(node: NodeObject, observed: NodeObserved): Effect[] {
  const claims = claimEffects(node, observed)
  if (claims.length > 0) return claims
  const { identity } = node.spec
  if (
    identity &&
    observed.address !== undefined &&
    !observed.enrol &&
    !isEnrolledAs(observed, identity) &&
    !isDeparted(observed, identity)
  )
    return [{ type: 'enrol', identity }]
  const { content } = observed
  if (content && !observed.published && !observed.publishedThisRun)
    return [...freezeEffects(observed), { type: 'bundle', node: node.metadata.name, content }]
  return [
    ...adoptEffects(node, observed),
    ...backEffects(node, observed),
    ...observed.freeSlots.map((slot): Effect => ({ type: 'freeSlot', node: node.metadata.name, slot })),
    ...commandEffects(node, observed, isolation(node, observed)),
    ...report(node, observed),
    ...blindRetry(node, observed),
  ]
}

function claimEffects(node: NodeObject, observed: NodeObserved): Effect[] {
  const { mesh, claim, claimants, avoid } = observed
  if (claim || node.spec.mesh !== mesh.name || node.metadata.deletionTimestamp) return []
  return claimants.map(({ wanted, ...claimant }) => ({
    type: 'claimAddress',
    node: claimant,
    cidr: mesh.spec.cidr,
    ...(wanted !== undefined && { wanted }),
    avoid: avoid.filter((address) => address !== wanted),
  }))
}

/** What is declared are the keys it began with; REKEY changes them behind its author’s back. */
function isEnrolledAs({ enrolment }: Pick<NodeObserved, 'enrolment'>, identity: object): boolean {
  if (!enrolment) return false
  const { enrolledWith, identity: now } = enrolment
  return sameKeys(now, identity) || (enrolledWith !== undefined && sameKeys(enrolledWith, identity))
}

/** The very machine that a person took off the mesh: that its file still names it does not bring it back. */
function isDeparted({ severed, enrolment, ended }: NodeObserved, identity: object): boolean {
  if (!severed || enrolment || ended?.enrolmentId !== severed.enrolmentId) return false
  return isEnrolledAs({ enrolment: ended }, identity)
}

function sameKeys(a: object, b: object): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof typeof b] === value)
}

function freezeEffects({ freeze }: NodeObserved): Effect[] {
  return freeze.map(({ key, value }) => ({ type: 'record', key, value }))
}

/** The same name applied again: what was kept for it is its own once more. */
function adoptEffects(node: NodeObject, { orphanRecorded, freeze, ...observed }: NodeObserved): Effect[] {
  const adopted: Effect[] =
    orphanRecorded && observed.member
      ? [{ type: 'record', key: orphanRecord(node.metadata.name), value: undefined }]
      : []
  return [...adopted, ...freeze.map(({ key, value }): Effect => ({ type: 'record', key, value }))]
}

/** The name is enrolled anew: nothing reminds of who had it any longer. Until the hubs are seen without it: look. */
function backEffects({ metadata }: NodeObject, observed: NodeObserved): Effect[] {
  if (!observed.severed) return []
  if (observed.enrolment) return [{ type: 'record', key: severedRecord(metadata.uid), value: undefined }]
  return isGone(observed) ? [] : [{ type: 'again', afterMs: LOOK_AGAIN_MS }]
}

function isolation(node: NodeObject, observed: NodeObserved): WantedCommand[] {
  const { view, lastIsolateSent: lastSent, runningMs, member } = observed
  if (!member) return []
  return isolateCommands({ declared: declaresIsolation(node, observed), view, lastSent, runningMs })
}

/** An authority's node cannot be isolated; that a hub cannot, its schema says. */
function declaresIsolation(node: NodeObject, { authorityNode }: NodeObserved): boolean {
  return node.spec.isolated && !authorityNode
}

function commandEffects(node: NodeObject, { pending }: NodeObserved, commands: WantedCommand[]): Effect[] {
  const same =
    pending.length === commands.length &&
    commands.every((c) => pending.some(({ op, slot, value }) => op === c.op && slot === c.slot && value === c.value))
  return same ? [] : [{ type: 'commands', node: node.metadata.name, commands }]
}

function blindRetry(node: NodeObject, observed: NodeObserved): Effect[] {
  const blind = declaresIsolation(node, observed) && observed.member && !observed.view.report
  const afterMs = BLIND_AFTER_MS - observed.runningMs
  return blind && afterMs > 0 ? [{ type: 'again', afterMs }] : []
}

/**
 * What touches no machine: the member stays a peer, its address and ids stay its name's. One that is being severed
 * already is finished without waiting for the hubs.
 */
function orphan(node: NodeObject, observed: NodeObserved): Effect[] {
  const { name } = node.metadata
  const { member } = observed
  if (observed.begun) return farewell(node, observed)
  return [
    ...(member ? [{ type: 'record', key: orphanRecord(name), value: member } as const] : []),
    { type: 'commands', node: name, commands: [] },
    { type: 'withdrawBundle', node: name },
    { type: 'removeFinalizer' },
  ]
}

const SEVER: WantedCommand = { op: OP.SEVER, slot: 0 as Slot, value: 1 }
/** Telemetry of the hubs comes at least every 10 s. */
const LOOK_AGAIN_MS = 10_000

function teardown(node: NodeObject, observed: NodeObserved): Effect[] {
  const { name } = node.metadata
  const commit: Effect[] = observed.begun ? [] : [{ type: 'commitDeletion' }]
  if (isGone(observed)) return [...commit, ...farewell(node, observed)]
  return [
    ...commit,
    ...(observed.bundle.content ? [{ type: 'withdrawBundle', node: name } as const] : []),
    ...commandEffects(node, observed, [SEVER]),
    ...report(node, observed),
    ...dropEffects(observed),
    { type: 'again', afterMs: observed.leadMs || LOOK_AGAIN_MS },
  ]
}

/** SEVER has had its lead: now the hubs' bundles go without the peer. */
function dropEffects({ leadMs, otherHubs }: NodeObserved): Effect[] {
  const hubs = otherHubs.filter((hub) => hub.wantsPeer).map((hub) => keyOf('Node', hub.name))
  return leadMs > 0 || hubs.length === 0 ? [] : [{ type: 'wake', keys: hubs, reason: 'a peer is to go' }]
}

function farewell(node: NodeObject, { severed }: NodeObserved): Effect[] {
  const { name, uid } = node.metadata
  return [
    { type: 'commands', node: name, commands: [] },
    { type: 'withdrawBundle', node: name },
    { type: 'releaseAddress' },
    { type: 'retire', reason: 'deleted' },
    ...(severed ? [{ type: 'record', key: severedRecord(uid), value: undefined } as const] : []),
    { type: 'removeFinalizer' },
  ]
}

/** Every hub that is heard has dropped the peer, and at least one is heard; or there never was a peer, or a hub. */
function isGone({ otherHubs }: NodeObserved): boolean {
  if (otherHubs.length === 0) return true
  const heard = otherHubs.filter((hub) => hub.fresh)
  return heard.length > 0 && heard.every((hub) => hub.applied && !hub.listsPeer)
}

/** Status, and one event when the verdict is news. */
function report(node: NodeObject, observed: NodeObserved): Effect[] {
  const facts = nodeFacts(node, observed)
  const detail = detailOf(observed)
  const found = readiness('Node', facts, messageDetails(node, observed, detail))
  return [
    ...statusEffect(node, nodeStatus(node, observed, facts, found, detail)),
    ...verdictEvent(node, found),
    ...holderEvent(node, observed, found),
  ]
}

/** Who holds keeps, and hears of it. */
function holderEvent(node: NodeObject, { claim, others }: NodeObserved, found: Readiness): Effect[] {
  if (claim?.ok !== false || claim.holder === undefined || !others.includes(claim.holder)) return []
  if (!isNews(node.status?.conditions, found, node.metadata.generation)) return []
  const message = `Node ${node.metadata.name} asks for this node’s address and is refused`
  return [{ type: 'event', eventType: 'Warning', reason: claim.reason, message, about: `Node/${claim.holder}` }]
}

export function nodeFacts(node: NodeObject, observed: NodeObserved): NodeFacts {
  const { view, bundle } = observed
  const report = view.liveness === 'Fresh' ? view.report : undefined
  const isolated = declaresIsolation(node, observed)
  const digest = report?.bundles.applied?.digest
  return {
    paused: isPaused(node),
    deletion: deletionOf(node, observed),
    accepted: acceptedOf(node, observed),
    enrolled: enrolledOf(observed),
    hub: observed.begun || observed.content !== undefined,
    channel: observed.channel,
    liveness: view.liveness,
    bundle: bundle.stage === 'Reverted' && bundle.held ? 'Held' : bundle.stage,
    applied: observed.published && digest !== undefined && digest === bundle.digest,
    isolated,
    isolationShown: isolationShown(report, isolated),
    severed: severedOf(observed),
  }
}

function severedOf(observed: NodeObserved): NodeFacts['severed'] {
  const { severed, enrolment } = observed
  if (!severed) return 'no'
  if (enrolment) return endingEnrolment(severed, enrolment) ? 'cutting' : 'no'
  return isGone(observed) ? severed.how : 'cutting'
}

function deletionOf(node: NodeObject, observed: NodeObserved): NodeFacts['deletion'] {
  if (node.metadata.deletionTimestamp === undefined) return 'none'
  // The way out of all, also of a hold: it touches no machine.
  if (isOrphan(node)) return 'orphaned'
  if (observed.begun) return 'severing'
  if (observed.hold) return 'held'
  const { occupants, others, otherHubs, authorityNode } = observed
  if (occupants.length > 0) return occupants.every((o) => o.leaving) ? 'archivesLeaving' : 'archivesPresent'
  const lastHub = node.spec.role === 'hub' && otherHubs.length === 0
  return others.length > 0 && observed.member && (lastHub || authorityNode) ? 'hubInUse' : 'severing'
}

function acceptedOf(node: NodeObject, observed: NodeObserved): NodeFacts['accepted'] {
  const { mesh, claim } = observed
  if (node.spec.mesh !== mesh.name) return observed.meshDeclared ? 'MeshNotAccepted' : 'MeshUnknown'
  if (node.spec.isolated && observed.authorityNode) return 'CannotIsolate'
  return claim?.ok === false ? claim.reason : 'yes'
}

function enrolledOf({ enrol, enrolment }: NodeObserved): NodeFacts['enrolled'] {
  if (enrol?.ok === false) return enrol.reason
  return enrolment ? 'yes' : 'NoIdentity'
}

function detailOf({ claim, enrol, mesh }: NodeObserved): string {
  if (claim?.ok === false) return claim.message
  if (enrol?.ok === false) return enrol.message
  return `one authority serves one mesh in this version, and this one serves Mesh ${mesh.name}`
}

function messageDetails(node: NodeObject, observed: NodeObserved, detail: string): Record<string, string | undefined> {
  const { view, bundle, otherHubs, occupants, others } = observed
  return {
    node: node.metadata.name,
    mesh: node.spec.mesh,
    detail,
    hold: observed.hold?.message,
    archives: occupants.map((occupant) => occupant.name).join(', '),
    // Asked for by one message alone.
    get others() {
      return others.join(', ')
    },
    hubs: otherHubs.map((hub) => hub.name).join(', '),
    severedAt: observed.severed && rfc3339(observed.severed.atMs),
    since: view.lastHeardMs === undefined ? undefined : rfc3339(view.lastHeardMs),
    revision: bundle.revision?.toString(),
    bundle: bundle.revision === undefined ? 'a new bundle' : `revision ${bundle.revision}`,
    bundleReason: bundle.reason,
  }
}
