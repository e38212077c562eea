// An authority moves from one place to another. Nothing of the fleet is touched: nodes go on without it, as they do
// while it restarts, and the next reign begins under a higher term with nothing but PINGs.
//
// mark.ts says why never both can reign. Killed anywhere, the same call goes on: before `here` by filling anew, after it
// by telling the place that was left.
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import { type Keys, readKeys } from '../keys/keys.ts'
import { inspectRegistry } from '../registry/inspect.ts'
import { REGISTRY_FILE } from '../registry/registry.ts'
import { type PlaceMark, refuseMoved } from './mark.ts'
import type { ArrivalPlan, AuthorityState, Place } from './place.ts'

export interface MoveOptions {
  clock: Pick<Clock, 'now'>
  random: RandomBytes
  /** Look at everything, change nothing. */
  dryRun?: boolean
  /** Deletions under way go along; where they cannot be taken back any more, that is what happens to them. */
  withDeletions?: boolean
}

export interface Moved {
  /** What was to be moved; absent when all of it had arrived before. */
  what?: { plan: ArrivalPlan; state: AuthorityState }
}

/**
 * Throws AuthorityMoved, MoveElsewhere, PlaceTaken, MigrateRefused before anything is changed; what a place throws at
 * any time.
 */
export async function moveAuthority(from: Place, to: Place, options: MoveOptions): Promise<Moved> {
  const { clock, random, dryRun = false } = options
  const left = await from.mark()
  const arrived = await to.mark()
  const isDone = left !== undefined && left.phase !== 'here' && arrived?.id === left.id && arrived.phase === 'here'
  if (isDone) {
    if (!dryRun) await depart(from, { ...left, phase: 'gone', peer: to.name })
    return {}
  }
  if (left?.phase !== 'leaving') refuseMoved(left)
  const state = await from.read()
  const { meshId } = await verified(state)
  const id = left?.phase === 'leaving' ? left.id : randomId(random)
  await admit(left, arrived, { id, meshId, to })
  if (!options.withDeletions) refuseDeletions(state)
  const what = { state, plan: await to.plan(state) }
  if (dryRun) return { what }

  const mark = { id, meshId, atMs: clock.now() }
  await from.setMark({ ...mark, phase: 'leaving', peer: to.name })
  await to.setMark({ ...mark, phase: 'arriving', peer: from.name })
  await to.fill(state)
  await to.setMark({ ...mark, phase: 'here', peer: from.name })
  await depart(from, { ...mark, phase: 'gone', peer: to.name })
  return { what }
}

async function depart(from: Place, gone: PlaceMark): Promise<void> {
  await from.setMark(gone)
  await from.letGo()
}

/** A move that has not arrived is off: the place it was to leave is as before. Throws NoMoveToCancel. */
export async function cancelMove(from: Place, to: Place, clock: Pick<Clock, 'now'>): Promise<void> {
  const left = await from.mark()
  const arrived = await to.mark()
  if (left?.phase !== 'leaving' || (arrived?.id === left.id && arrived.phase === 'here'))
    throw new PpnError('NoMoveToCancel', { place: from.name })
  // First, so that a copy of this very move cannot complete it afterwards.
  if (!arrived || arrived.id === left.id)
    await to.setMark({ ...left, phase: 'gone', peer: from.name, atMs: clock.now() })
  await from.setMark(undefined)
}

/** An authority without good keys or with a broken registry is mended first, not moved. */
async function verified(state: AuthorityState): Promise<Keys> {
  const keys = await readKeys({ read: async (name) => state.keys.get(name) })
  const { fault } = inspectRegistry(state.registry, REGISTRY_FILE, keys.signing.publicKey, keys.formerSigning)
  if (fault) throw new PpnError('ChainBroken', { name: REGISTRY_FILE, ...fault })
  return keys
}

async function admit(
  left: PlaceMark | undefined,
  arrived: PlaceMark | undefined,
  { id, meshId, to }: { id: string; meshId: string; to: Place },
): Promise<void> {
  if (arrived?.id === id) return
  if (left?.phase === 'leaving' && left.peer !== to.name)
    throw new PpnError('MoveElsewhere', { peer: left.peer, place: to.name })
  if (arrived?.phase === 'gone' && arrived.meshId === meshId) return
  const what = await to.occupied()
  if (arrived) throw new PpnError('PlaceTaken', { place: to.name, what: `a move from ${arrived.peer}` })
  if (what !== undefined) throw new PpnError('PlaceTaken', { place: to.name, what })
}

function refuseDeletions({ objects }: AuthorityState): void {
  const going = objects
    .filter(({ object }) => object.metadata.deletionTimestamp !== undefined && object.kind !== 'Pairing')
    .map(({ object }) => `${object.kind}/${object.metadata.name}`)
  if (going.length > 0)
    throw new PpnError('MigrateRefused', { what: `deletions are under way: ${going.join(', ')} (--with-deletions)` })
}
