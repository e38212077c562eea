import type { World } from '../ports/world.ts'

/** Whether anything may be sent at all: not by a superseded authority, not under the brake (law 12). */
export function channelOf(world: Pick<World, 'fleet' | 'authority'>): 'open' | 'Braked' | 'Superseded' {
  if (world.fleet.superseded()) return 'Superseded'
  return world.authority.brake().set ? 'Braked' : 'open'
}
