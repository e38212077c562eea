// The reconcile of ResourcePools, under key `ResourcePool/<name>`.
import { isDeepStrictEqual } from 'node:util'
import { overcommitment } from '../admission/admit.ts'
import { admissionInput } from '../admission/claims.ts'
import { channelOf } from '../common/channel.ts'
import { conditionOf, rfc3339 } from '../common/conditions.ts'
import { reconcileWith } from '../common/converge.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { ControllerWorld } from '../common/world.ts'
import type { ControllerSpec } from '../ports/reconciler.ts'
import { followedPolicy, poolInForce } from './in-force.ts'
import { type PoolObject, type PoolObserved, planPool } from './plan.ts'

async function observePool(world: ControllerWorld, pool: PoolObject): Promise<PoolObserved> {
  const { allocator, bundles, clock, fleet, holds, store } = world
  const { nodeName } = pool.spec
  const { uid, deletionTimestamp } = pool.metadata
  const begun = teardownBegun(store.records, uid)
  const hold = deletionTimestamp === undefined || begun ? undefined : await holds.isHeld(pool)
  const node = store.get('Node', nodeName)
  const accepted = conditionOf(node?.status?.conditions, 'Accepted')
  const view = fleet.view(nodeName)
  const state = bundles.state(nodeName)
  const channel = channelOf(world)
  const report = view.liveness === 'Fresh' && channel !== 'Superseded' ? view.report : undefined
  const wanted = poolInForce(world, nodeName)
  const excess = overcommitment(admissionInput(world, nodeName))
  return {
    nowMs: clock.now(),
    ...(hold && { hold: hold.message }),
    begun,
    node: !node ? 'NodeUnknown' : accepted?.status === 'False' ? 'NodeNotAccepted' : 'ok',
    ...(accepted?.status === 'False' && { nodeDetail: accepted.message }),
    channel,
    liveness: view.liveness,
    ...(view.lastHeardMs !== undefined && { silentSince: rfc3339(view.lastHeardMs) }),
    bundle: state.held ? 'Held' : state.stage,
    ...(state.reason !== undefined && { bundleReason: state.reason }),
    applied:
      report?.bundles.applied !== undefined &&
      report.bundles.applied.digest === state.digest &&
      isDeepStrictEqual(state.content?.pool, wanted),
    ...(report && { report }),
    wanted,
    followed: followedPolicy(store.records, uid),
    reservedMiB: wanted.reservedMiB,
    placements: allocator.placementsOn(nodeName),
    ...(excess !== undefined && { excess }),
  }
}

const poolPlanner = { kind: 'ResourcePool', observe: observePool, plan: planPool } as const

export function poolController(world: ControllerWorld): ControllerSpec {
  return {
    name: 'pool',
    reconcile: reconcileWith(world, poolPlanner),
    generation: (key) => world.store.getByKey(key)?.metadata.generation ?? 0,
    ready: () => world.store.health().synced,
  }
}
