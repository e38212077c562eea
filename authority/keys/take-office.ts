// The first start of an authority that the operator key put in place: its term lies above what the document says, and
// what the fleet card knows becomes its own. Repeatable.
import type { Files } from '../../base/files.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { AuthorityDocument } from '../../protocol/operator/document.ts'
import type { NodeRegistry } from '../registry/registry.ts'
import { floorTerm } from '../term/raise.ts'
import { inheritCard, readCard } from './fleet-card.ts'
import { CARD_FILE } from './replace.ts'

export async function takeOffice(
  files: Files,
  records: RecordStore,
  registry: NodeRegistry,
  replacement: AuthorityDocument | undefined,
): Promise<void> {
  if (!replacement) return
  await floorTerm(records, replacement.term)
  const card = await files.read(CARD_FILE)
  if (!card) return
  await inheritCard(readCard(Buffer.from(card).toString('utf8')), records, registry)
  await files.remove(CARD_FILE)
}
