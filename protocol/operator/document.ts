// What the operator key says to every node over the head of any authority (sections 7.6 and law 7). Canonical JSON,
// signed under "ppn-authority/1":
//   authority   a new authority, and a term above every one it is to end: the old one is obeyed no more
//   operator    the next operator key
//   override    one archive may start on one node although its fencing epoch does not fit
// On the wire, in files and in the armor alike:
//   0      1, the version
//   1-64   Ed25519 signature
//   65-    the document
import { z } from 'zod'
import { armorAs, dearmorAs } from '../armor.ts'
import { bundleAuthority } from '../bundle/document.ts'
import { concat } from '../bytes.ts'
import { canonicalBytes, parseCanonical } from '../canonical.ts'
import type { ArchiveId, FencingEpoch, MeshId, NodeId, Term } from '../ids.ts'
import { signDomain, verifyDomain } from '../sign.ts'

/** Of the whole encoding: a few hundred bytes are enough. */
export const OPERATOR_LIMIT = 4096
const VERSION = 1
const AT = { signature: 1, document: 65 } as const
const ARMOR = 'PPN OPERATOR DOCUMENT'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const u32 = z.int().min(1).max(0xffff_ffff)
const common = {
  version: z.literal(1),
  meshId: id as unknown as z.ZodType<MeshId>,
  /** Milliseconds since 1970; only for people, and so that no two documents are the same. */
  issuedMs: z.int().min(0),
}

export const operatorDocument = z.discriminatedUnion('type', [
  z.strictObject({
    ...common,
    type: z.literal('authority'),
    /** Above the term of a node, or the node refuses it. */
    term: u32 as unknown as z.ZodType<Term>,
    authority: bundleAuthority,
  }),
  z.strictObject({ ...common, type: z.literal('operator'), operatorKey: z.string().length(44) }),
  z.strictObject({
    ...common,
    type: z.literal('override'),
    nodeId: id as unknown as z.ZodType<NodeId>,
    archive: id as unknown as z.ZodType<ArchiveId>,
    /** The epoch in the node's bundle under which its disk may start, whatever the disk and the fence say. */
    fencingEpoch: u32 as unknown as z.ZodType<FencingEpoch>,
  }),
])
export type OperatorDocument = z.output<typeof operatorDocument>
export type AuthorityDocument = Extract<OperatorDocument, { type: 'authority' }>

export function sealOperatorDocument(document: OperatorDocument, operatorSecret: Uint8Array): Uint8Array {
  const bytes = canonicalBytes(operatorDocument.parse(document))
  return concat(Uint8Array.of(VERSION), signDomain('ppn-authority/1', bytes, operatorSecret), bytes)
}

export type OperatorFault = 'OperatorMalformed' | 'OperatorUnsigned' | 'OperatorVersion'
export type OpenedDocument = { ok: true; document: OperatorDocument } | { ok: false; reason: OperatorFault }

/** Nothing of the document is looked at before its signature holds. Never throws. */
export function openOperatorDocument(bytes: Uint8Array, operatorKey: Uint8Array): OpenedDocument {
  const refused = (reason: OperatorFault): OpenedDocument => ({ ok: false, reason })
  if (bytes.length <= AT.document || bytes.length > OPERATOR_LIMIT) return refused('OperatorMalformed')
  const signature = new Uint8Array(bytes.subarray(AT.signature, AT.document))
  const signed = new Uint8Array(bytes.subarray(AT.document))
  if (!verifyDomain('ppn-authority/1', signed, signature, operatorKey)) return refused('OperatorUnsigned')
  if (bytes[0] !== VERSION) return refused('OperatorVersion')
  try {
    return { ok: true, document: operatorDocument.parse(parseCanonical(signed)) }
  } catch {
    return refused('OperatorMalformed')
  }
}

export const armorOperatorDocument = (bytes: Uint8Array): string => armorAs(ARMOR, bytes)
/** Throws BadArmor. */
export const dearmorOperatorDocument = (text: string): Uint8Array => dearmorAs(ARMOR, text)
export const isOperatorArmor = (text: string): boolean => text.includes(`-----BEGIN ${ARMOR}-----`)
