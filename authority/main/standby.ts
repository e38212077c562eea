// The admin socket of a replica that does not lead: it shows the objects as the API server has them, and says who leads to
// whoever wants more. The brake works from every replica: it is an annotation.
import { PpnError } from '../../base/errors.ts'
import type { Store } from '../../controllers/ports/store.ts'
import type { AdminBackend, AdminVersion } from '../admin/backend.ts'
import type { Brake, BrakeSource } from '../brake.ts'
import type { Keys } from '../keys/keys.ts'
import { recordedTerm } from '../term/raise.ts'
import { objectsOf, publicHalves } from './backend.ts'
import { storeWatch } from './watch.ts'

export interface StandbyOptions {
  store: Store
  keys: Keys
  brake: Brake
  brakeSource: BrakeSource
  version: AdminVersion
  /** Who leads, as far as it is known. */
  holder(): string | undefined
}

export function standbyBackend(options: StandbyOptions): AdminBackend {
  const { store, keys, brake } = options
  const holder = () => options.holder() ?? 'nobody'
  const refuse = (): never => {
    throw new PpnError('StandingBy', { holder: holder() })
  }
  return {
    version: () => options.version,
    health: () => ({
      term: recordedTerm(store.records),
      revision: 0,
      superseded: false,
      brake: brake.last(),
      serving: false,
      servingReason: `standing by; ${holder()} leads`,
      store: store.health(),
      idle: true,
    }),
    objects: (filter) => objectsOf(store, filter),
    watch: (filter, signal) => storeWatch(store, filter, signal),
    keys: () => ({ ...publicHalves(keys), operatorSecretPath: '', operatorSecretHere: false }),
    async brake(set, reason) {
      await (set ? options.brakeSource.set(reason) : options.brakeSource.release())
      await brake.read()
    },
    ...{ explain: refuse, events: refuse, holds: refuse, confirm: refuse, retry: refuse, create: refuse },
    ...{ amend: refuse, ceremony: refuse, remove: refuse, enrol: refuse, bundle: refuse, sever: refuse },
    ...{ leave: refuse, fleetCard: refuse, rotateKeys: refuse, rotation: refuse, backup: refuse },
  }
}
