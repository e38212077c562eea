// A document of the operator key given as a file: where no authority, old or new, reaches the node.
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { dearmorOperatorDocument, type OperatorDocument } from '../../protocol/operator/document.ts'
import { openNodeState } from '../durable/node-state.ts'
import { loadPins } from '../keys/pins.ts'
import { judgeDocument } from './operator.ts'

/** Where it waits for the agent: taken by a running one within a second, else at its next start. */
export const IMPORTED_DOCUMENT = 'imported-document'

/**
 * Verifies an armoured operator document against what this node has pinned and leaves it for the agent. Throws
 * NodeNotEnrolled, DocumentRefused, BadArmor. `undefined`: it is in force already.
 */
export async function importDocument(files: Files, text: string): Promise<OperatorDocument | undefined> {
  const raw = dearmorOperatorDocument(text)
  const pins = await loadPins(files)
  if (!pins) throw new PpnError('NodeNotEnrolled', {})
  const { term } = (await openNodeState(files)).get()
  const verdict = judgeDocument(raw, { pins, term })
  if (verdict.do === 'refuse') throw new PpnError('DocumentRefused', { reason: verdict.reason })
  if (verdict.do === 'nothing') return undefined
  await files.write(IMPORTED_DOCUMENT, raw)
  return verdict.document
}
