// A Node's status from what was observed. Law 2: what is not freshly heard is Unknown, and figures stay as last seen.
import type { ConditionStatus } from '../../api/meta.ts'
import type { ConditionDraft, Readiness } from '../../api/readiness/index.ts'
import type { NodeFacts } from '../../api/readiness/node.ts'
import type { NodeStatus, PeerPath } from '../../api/v1alpha1/node.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { conditions, draft } from '../common/conditions.ts'
import { steadyInstant, steadyMiB } from '../common/figures.ts'
import { isolationShown } from './isolation.ts'
import type { NodeObject, NodeObserved } from './observe.ts'

export function nodeStatus(
  node: NodeObject,
  observed: NodeObserved,
  facts: NodeFacts,
  found: Readiness,
  detail: string,
): NodeStatus {
  const before = node.status
  const { generation } = node.metadata
  const { view, nowMs } = observed
  const fresh = view.liveness === 'Fresh' ? view.report : undefined
  const drafts = [
    ...found.conditions,
    acceptedCondition(facts, found, detail),
    enrolledCondition(facts, found, observed),
    connectedCondition(facts),
    configCondition(facts, found),
    isolatedCondition(fresh),
    ...equippedCondition(fresh),
    ...deletingCondition(facts, found),
  ]
  return {
    observedGeneration: generation,
    conditions: conditions(before?.conditions, drafts, generation, nowMs),
    address: observed.address,
    revisionStaged: fresh ? fresh.bundles.staged?.revision : before?.revisionStaged,
    revisionApplied: fresh ? fresh.bundles.applied?.revision : before?.revisionApplied,
    agentVersion: fresh?.agentVersion ?? before?.agentVersion,
    bootId: fresh ? view.bootId : before?.bootId,
    // One that is silent shows exactly when it was heard last.
    lastHeard: steadyInstant(fresh && before?.lastHeard, view.lastHeardMs, node.metadata.uid) ?? before?.lastHeard,
    capacity: fresh
      ? { memoryMiB: steadyMiB(before?.capacity?.memoryMiB, fresh.capacity.memoryMiB), cpus: fresh.capacity.cpus }
      : before?.capacity,
    // A path is a claim about now: none is made of a node that is not heard.
    paths: fresh && pathsOf(fresh),
    retainedDisks: fresh ? fresh.retainedDisks.map((disk) => ({ ...disk })) : before?.retainedDisks,
  }
}

function pathsOf(report: NodeReport): PeerPath[] {
  return report.peers
    .map(({ name, path, reason }) => ({ peer: name, path, reason }))
    .sort((a, b) => (a.peer < b.peer ? -1 : 1))
}

function acceptedCondition(facts: NodeFacts, found: Readiness, detail: string): ConditionDraft {
  if (facts.accepted === 'yes') return draft('Accepted', 'True', 'Accepted', 'the spec is followed')
  return draft('Accepted', 'False', facts.accepted, found.reason === facts.accepted ? found.message : detail)
}

function enrolledCondition(facts: NodeFacts, found: Readiness, { enrolment, enrol }: NodeObserved): ConditionDraft {
  if (facts.enrolled === 'yes' && enrolment)
    return draft('Enrolled', 'True', 'Enrolled', `its keys are known (${enrolment.how})`)
  // Refused for something else, its keys were not looked at.
  const why = enrol?.ok === false ? enrol.message : 'no keys are known'
  return draft('Enrolled', 'False', facts.enrolled, found.reason === facts.enrolled ? found.message : why)
}

const CONNECTED: Record<NodeFacts['liveness'], [ConditionStatus, string, string]> = {
  Fresh: ['True', 'Heard', 'its telemetry comes in'],
  Stale: ['False', 'Silent', 'no telemetry for 60 s'],
  Unheard: ['Unknown', 'Unheard', 'not heard since this authority started'],
  Braked: ['Unknown', 'Braked', 'not asked: the brake is set'],
  Superseded: ['Unknown', 'Superseded', 'it has heard a newer authority'],
}

function connectedCondition({ liveness, severed }: NodeFacts): ConditionDraft {
  if (severed !== 'no') {
    const reason = severed === 'left' ? 'Left' : 'Severed'
    return draft('Connected', 'False', reason, 'taken off the mesh by a person')
  }
  return draft('Connected', ...CONNECTED[liveness])
}

function configCondition(facts: NodeFacts, found: Readiness): ConditionDraft {
  if (facts.liveness !== 'Fresh') return draft('ConfigApplied', 'Unknown', CONNECTED[facts.liveness][1], 'not heard')
  if (facts.applied) return draft('ConfigApplied', 'True', 'Applied', 'telemetry shows the wanted bundle applied')
  return draft('ConfigApplied', 'False', facts.bundle, `the wanted bundle is not applied: ${found.message}`)
}

/** True needs effect and mark together (law 2); the effect alone is neither True nor False. */
function isolatedCondition(report: NodeReport | undefined): ConditionDraft {
  if (!report) return draft('Isolated', 'Unknown', 'NotHeard', 'not heard')
  if (report.isolated && !isolationShown(report, true))
    return draft('Isolated', 'Unknown', 'Unconfirmed', 'its links are down, but the node shows no mark of ISOLATE')
  return report.isolated
    ? draft('Isolated', 'True', 'Isolated', 'only the link to the authority is up')
    : draft('Isolated', 'False', 'NotIsolated', 'its links are up')
}

/** Only while the machine says that it lacks something. */
function equippedCondition(report: NodeReport | undefined): ConditionDraft[] {
  const [first, ...more] = report?.capacity.lacks ?? []
  if (!first) return []
  const message = [first, ...more].map(({ what, reason }) => `${what}: ${reason}`).join('; ')
  return [draft('Equipped', 'False', `No${first.what}`, message)]
}

/** Only on a tombstone: False while a person is waited for to confirm, True from then on. */
function deletingCondition({ deletion }: NodeFacts, found: Readiness): ConditionDraft[] {
  if (deletion === 'none') return []
  return [draft('Deleting', deletion === 'held' ? 'False' : 'True', found.reason, found.message)]
}
