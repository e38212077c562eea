// `nodeid/<nodeUid>`: a node's random id for life. A name declared again after Orphan (a new uid) keeps its id,
// because the machine knows itself by it.
import { type RandomBytes, randomId } from '../../base/random.ts'
import type { Allocator } from '../../controllers/ports/allocator.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { NodeId } from '../../protocol/ids.ts'
import { contend } from './contend.ts'
import type { Serial } from './serial.ts'

interface NodeIdFact {
  id: NodeId
  name: string
}

const PREFIX = 'nodeid/'

export function nodeIds(options: {
  records: RecordStore
  random: RandomBytes
  serial: Serial
}): Pick<Allocator, 'nodeId' | 'nodeIdIfAny'> {
  const { records, random, serial } = options
  const known = (uid: string): NodeId | undefined => (records.get(PREFIX + uid)?.value as NodeIdFact | undefined)?.id
  const ofName = (name: string): NodeId | undefined =>
    records
      .list(PREFIX)
      .map((record) => record.value as NodeIdFact)
      .find((fact) => fact.name === name)?.id
  return {
    nodeIdIfAny: known,
    nodeId: (uid, name) =>
      serial(() =>
        contend(async () => {
          const already = known(uid)
          if (already !== undefined) return already
          const id = ofName(name) ?? randomId(random)
          await records.put(PREFIX + uid, { id, name } satisfies NodeIdFact, 0)
          return id
        }),
      ),
  }
}
