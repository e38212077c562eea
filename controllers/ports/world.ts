// Everything a controller may touch, handed in as one value.
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { BundleAuthority } from '../../protocol/bundle/document.ts'
import type { Allocator } from './allocator.ts'
import type { Bundles } from './bundles.ts'
import type { Ceremonies } from './ceremonies.ts'
import type { Commands } from './commands.ts'
import type { Fleet } from './fleet.ts'
import type { PairingCodes } from './pairing-codes.ts'
import type { Registry } from './registry.ts'
import type { Store } from './store.ts'

/** What bundles say about the authority itself; addresses come from the Mesh's authority nodes. */
export interface AuthorityFacts {
  /** One entry, two only during a key change. `addresses` are filled in by the controller. */
  keys(): Omit<BundleAuthority, 'addresses'>[]
  operatorKey(): string
  meshEpochMs(): number
  term(): number
  /** Highest revision given out. */
  revision(): number
  /** Why nothing is being sent: the brake's state as last read (law 12). */
  brake(): { set: boolean; reason?: string }
}

export type EventType = 'Normal' | 'Warning'

export interface EventRecorder {
  /** One event per (object, reason, generation): repeats only raise its count. */
  record(
    object: { kind: string; name: string; namespace?: string; uid: string; generation: number },
    type: EventType,
    reason: string,
    message: string,
  ): void
}

export interface World {
  clock: Clock
  log: Logger
  store: Store
  fleet: Fleet
  commands: Commands
  bundles: Bundles
  allocator: Allocator
  registry: Registry
  ceremonies: Ceremonies
  /** Codes in Secrets; absent where there are none. */
  pairingCodes?: PairingCodes
  authority: AuthorityFacts
  events: EventRecorder
}
