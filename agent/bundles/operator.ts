// What to do with a document that came from anywhere: only the operator key decides (section 7.6). Pure.
import { createHash } from 'node:crypto'
import type { Digest, Term } from '../../protocol/ids.ts'
import { fromBase64 } from '../../protocol/keys.ts'
import { type OperatorDocument, type OperatorFault, openOperatorDocument } from '../../protocol/operator/document.ts'
import type { Pins } from '../keys/pins.ts'

/** Enough for a lifetime of accidents; with more, the oldest are forgotten. */
const DOCUMENTS_KEPT = 64
const STORED_KEPT = 16

export type DocumentRefusal =
  | OperatorFault
  | 'OperatorReplayed'
  | 'OperatorWrongMesh'
  | 'OperatorWrongNode'
  | 'OperatorOldTerm'

export type DocumentVerdict =
  | { do: 'refuse'; reason: DocumentRefusal }
  /** The newest one this node has taken: told again. */
  | { do: 'nothing' }
  | { do: 'take'; document: OperatorDocument; pins: Pins }

/** `term`: the node's own. A document that was taken stays taken: told again once a newer one is there, it is a replay. */
export function judgeDocument(raw: Uint8Array, own: { pins: Pins; term: Term }): DocumentVerdict {
  const { pins, term } = own
  const digest: Digest = createHash('sha256').update(raw).digest('hex')
  const taken = pins.documents ?? []
  if (taken.at(-1) === digest) return { do: 'nothing' }
  const refuse = (reason: DocumentRefusal): DocumentVerdict => ({ do: 'refuse', reason })
  if (taken.includes(digest)) return refuse('OperatorReplayed')
  const opened = openOperatorDocument(raw, fromBase64(pins.operatorKey, 32))
  if (!opened.ok) return refuse(opened.reason)
  const { document } = opened
  if (document.meshId !== pins.meshId) return refuse('OperatorWrongMesh')
  if (document.type === 'authority' && document.term <= term) return refuse('OperatorOldTerm')
  if (document.type === 'override' && document.nodeId !== pins.nodeId) return refuse('OperatorWrongNode')
  const next = pinsAfter(pins, document)
  return { do: 'take', document, pins: { ...next, documents: [...taken, digest].slice(-DOCUMENTS_KEPT) } }
}

function pinsAfter(pins: Pins, document: OperatorDocument): Pins {
  switch (document.type) {
    case 'authority': {
      const { authority, term } = document
      // What lies on disk was signed by those before; nothing new of theirs is taken.
      const stored = [...pins.trusted, ...(pins.stored ?? [])].slice(0, STORED_KEPT)
      const trusted = [{ authorityId: authority.id, signingPublicKey: authority.signingPublicKey }]
      return { ...pins, trusted, stored, replacement: { authority, term } }
    }
    case 'operator':
      return { ...pins, operatorKey: document.operatorKey }
    case 'override': {
      const { archive, fencingEpoch } = document
      const others = (pins.overrides ?? []).filter((one) => one.archive !== archive)
      return { ...pins, overrides: [...others, { archive, fencingEpoch }] }
    }
  }
}
