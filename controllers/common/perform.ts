import { FINALIZER, keyOf, type ObjectKey, parseKey } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import { MESH_CIDR_RECORD } from '../mesh/effective.ts'
import { type Move, moveOf, moveRecord } from '../move/record.ts'
import type { ReconcileResult } from '../ports/reconciler.ts'
import type { RecordStore } from '../ports/store.ts'
import type { Answers, Effect } from './effects.ts'
import { forgetTeardown, rememberTeardown } from './teardown.ts'
import type { ControllerWorld } from './world.ts'

export interface Performed extends ReconcileResult {
  answers: Answers
}

export function objectKey(object: PpnObject): ObjectKey {
  return keyOf(object.kind, object.metadata.name, object.metadata.namespace)
}

/**
 * Does the effects in their order; the first that throws ends it, and what follows is planned again at the next attempt.
 * Every effect is idempotent, so a repeat after a crash is harmless.
 */
export async function perform(
  effects: readonly Effect[],
  world: ControllerWorld,
  object: PpnObject,
): Promise<Performed> {
  const done: Performed = { answers: {} }
  for (const effect of effects) await performOne(effect, world, object, done)
  return done
}

async function performOne(effect: Effect, world: ControllerWorld, object: PpnObject, done: Performed): Promise<void> {
  const { store, allocator, registry, commands, bundles } = world
  const { name, uid } = object.metadata
  const key = objectKey(object)
  switch (effect.type) {
    case 'status':
      return store.updateStatus(object, effect.status as never)
    case 'event':
      return recordEvent(effect, world, object)
    case 'commands':
      return commands.want(key, effect.node, effect.commands)
    case 'bundle':
      return bundles.want(effect.node, effect.content)
    case 'withdrawBundle':
      return bundles.withdraw(effect.node)
    case 'claimAddress': {
      const { node, cidr, wanted, avoid } = effect
      await fixNetwork(store.records, cidr)
      const claim = await allocator.claimAddress(node, cidr, wanted, new Set(avoid))
      if (node.uid === uid) done.answers.claim = claim
      if (claim.ok) world.changed(keyOf('Node', node.name), 'address claimed')
      return
    }
    case 'enrol': {
      const nodeId = await allocator.nodeId(uid, name)
      done.answers.enrol = await registry.enrol(name, nodeId, effect.identity, 'declared')
      return
    }
    case 'enrolPaired': {
      const { node, identity, by, replace, because } = effect
      await writeRecord(store.records, because.key, because.value)
      const nodeId = await allocator.nodeId(node.uid, node.name)
      const replacing = replace ? 'replaced in a ceremony' : undefined
      done.answers.enrol = await registry.enrol(node.name, nodeId, identity, 'paired', by, replacing)
      return
    }
    case 'place': {
      const { node, floorMiB, maxMiB, adoptDisk } = effect
      done.answers.place = await allocator.place({ uid, key, node, floorMiB, maxMiB, adoptDisk })
      wakeMoved(world, moveOf(store.records, uid))
      // A refusal changes nothing for the others: two that are refused would wake each other for ever.
      return done.answers.place.ok ? world.changed(key, 'placed') : undefined
    }
    case 'releaseAddress':
      await allocator.releaseAddress(uid)
      return world.changed(key, 'address released')
    case 'retire':
      await registry.retire(name, effect.reason)
      return world.changed(key, 'retired')
    case 'releasePlacement':
      await allocator.releasePlacement(uid, { orphaned: effect.orphaned ?? false })
      return world.changed(key, 'place given up')
    case 'freeSlot':
      await allocator.freeSlot(effect.node, effect.slot)
      return world.changed(keyOf('Node', effect.node), 'slot freed')
    case 'move': {
      const before = moveOf(store.records, uid)
      await writeRecord(store.records, moveRecord(uid), effect.move)
      wakeMoved(world, before)
      wakeMoved(world, effect.move)
      world.wake(key, 'a step of its move')
      return world.changed(key, 'a step of its move')
    }
    case 'takeOver': {
      const { node, slot, fencingEpoch } = effect
      const before = allocator.placement(uid)?.node
      await allocator.takeOver(uid, { node, slot, fencingEpoch })
      for (const one of [node, ...(before === undefined ? [] : [before])])
        if (store.get('Node', one)) world.wake(keyOf('Node', one), 'a place taken over')
      world.wake(key, 'place taken over')
      return world.changed(key, 'place taken over')
    }
    case 'raiseEpoch':
      await allocator.nextEpoch(uid)
      wakeMoved(world, moveOf(store.records, uid))
      world.wake(key, 'epoch raised')
      return world.changed(key, 'epoch raised')
    case 'record':
      return writeRecord(store.records, effect.key, effect.value)
    case 'openCeremony':
      return world.ceremonies.open(effect.ceremony)
    case 'closeCeremony':
      return world.ceremonies.close(uid, effect.reason)
    case 'removeAct':
      return store.remove(key)
    case 'addFinalizer':
      return store.addFinalizer(key, uid, FINALIZER)
    case 'removeFinalizer':
      // In this order: a crash between leaves a record of nobody, not a teardown that has forgotten its commitment.
      await store.removeFinalizer(key, uid, FINALIZER)
      return forgetTeardown(store.records, uid)
    case 'commitDeletion':
      await store.commitDeletion(key, uid)
      await rememberTeardown(store.records, uid, key, world.clock.now())
      return world.changed(key, 'deletion committed')
    case 'wake':
      for (const other of effect.keys) world.wake(other, effect.reason)
      return
    case 'again':
      done.requeueAfterMs = Math.min(done.requeueAfterMs ?? Number.POSITIVE_INFINITY, effect.afterMs)
      return
  }
}

/** The nodes that a move concerns: their bundles follow from it. */
function wakeMoved(world: ControllerWorld, move: Move | undefined): void {
  const nodes = move ? [move.from.node, move.to, ...(move.leftover ? [move.leftover.node] : [])] : []
  for (const node of new Set(nodes)) if (world.store.get('Node', node)) world.wake(keyOf('Node', node), 'a move')
}

function recordEvent(effect: Effect & { type: 'event' }, world: ControllerWorld, object: PpnObject): void {
  const about = effect.about === undefined ? object : world.store.getByKey(effect.about)
  if (!about) return
  const { kind, name, namespace } = { ...parseKey(objectKey(about)), ...about.metadata }
  const { uid, generation } = about.metadata
  world.events.record({ kind, name, namespace, uid, generation }, effect.eventType, effect.reason, effect.message)
}

/**
 * Before the first address is given out, so that the network cannot change under its holders. Of nodes that claim at
 * the same time one writes it, and the others find it said.
 */
async function fixNetwork(records: RecordStore, cidr: string): Promise<void> {
  const isSaid = () => records.get(MESH_CIDR_RECORD)?.value === cidr
  if (isSaid()) return
  await writeRecord(records, MESH_CIDR_RECORD, cidr).catch((error: unknown) => {
    if (!isSaid()) throw error
  })
}

async function writeRecord(records: RecordStore, key: string, value: unknown): Promise<void> {
  const version = records.get(key)?.version ?? 0
  if (value !== undefined) await records.put(key, value, version)
  else if (version > 0) await records.delete(key, version)
}
