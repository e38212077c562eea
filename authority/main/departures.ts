// A person took a node off the mesh: remembered before it is told, forgotten when it could not be told.
import type { Clock } from '../../base/clock.ts'
import { type Departure, rememberSevered, severedRecord } from '../../controllers/node/severed.ts'
import type { Store } from '../../controllers/ports/store.ts'
import type { NodeRegistry } from '../registry/registry.ts'

export interface Departures {
  /** Durable when it resolves; a no-op for a node that is not enrolled. */
  remember(node: string, how: Departure): Promise<void>
  forget(node: string): Promise<void>
}

export function departures(store: Store, registry: Pick<NodeRegistry, 'of'>, clock: Clock): Departures {
  const uidOf = (node: string) => store.get('Node', node)?.metadata.uid
  return {
    async remember(node, how) {
      const uid = uidOf(node)
      const enrolmentId = registry.of(node)?.enrolmentId
      if (uid === undefined || enrolmentId === undefined) return
      await rememberSevered(store.records, uid, { atMs: clock.now(), how, enrolmentId })
    },
    async forget(node) {
      const key = severedRecord(uidOf(node) ?? '')
      const record = store.records.get(key)
      if (record) await store.records.delete(key, record.version)
    },
  }
}
