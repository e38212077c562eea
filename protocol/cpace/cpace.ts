// CPace, suite CPACE-RISTR255-SHA512, initiator-responder (draft-irtf-cfrg-cpace-21): two parties that share a short
// code agree on a long key; whoever does not know the code gets one guess a run and learns nothing else. The key is
// implicit: it is worth something only after key confirmation (../pairing).
import { PpnError } from '../../base/errors.ts'
import type { RandomBytes } from '../../base/random.ts'
import { deriveElement, HASH_BLOCK_BYTES, sampleScalar, scalarMultVfy, sha512 } from './group.ts'
import { generatorString, lvCat, transcriptIr } from './strings.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const DSI = utf8('CPaceRistretto255')
const DSI_ISK = utf8('CPaceRistretto255_ISK')
const SID_OUTPUT = utf8('CPaceSidOutput')

/** What both parties must have in common. */
export interface CpaceSecret {
  /** Password-related string: the code. */
  prs: Uint8Array
  /** Channel identifier: who speaks with whom, and for what. */
  ci: Uint8Array
  /** Session identifier: fresh for every run. */
  sid: Uint8Array
}

/** One party's half of a run. */
export interface CpaceShare {
  /** 32 bytes, little-endian; wiped by `deriveIsk`. */
  scalar: Uint8Array
  /** 32 bytes: what is sent. */
  element: Uint8Array
}

/** The generator both sides compute from the code (section 6.2, calculate_generator), encoded. */
export function calculateGenerator({ prs, ci, sid }: CpaceSecret): Uint8Array {
  const text = generatorString({ dsi: DSI, prs, ci, sid, blockBytes: HASH_BLOCK_BYTES })
  const hash = sha512(text)
  text.fill(0)
  const element = deriveElement(hash)
  hash.fill(0)
  return element
}

/** A fresh share: scalar and element. */
export function makeShare(secret: CpaceSecret, random: RandomBytes): CpaceShare {
  const generator = calculateGenerator(secret)
  const scalar = sampleScalar(random)
  const element = scalarMultVfy(scalar, generator)
  generator.fill(0)
  // Of 2^252 elements a hash meets the identity never; if it did, a share of it would give the key away.
  if (!element) throw new PpnError('BadKey', { what: 'the generator', why: 'it is the identity' })
  return { scalar, element }
}

export interface Transcript {
  sid: Uint8Array
  initiator: { element: Uint8Array; associatedData: Uint8Array }
  responder: { element: Uint8Array; associatedData: Uint8Array }
}

const transcriptBytes = ({ initiator: a, responder: b }: Transcript): Uint8Array =>
  transcriptIr(a.element, a.associatedData, b.element, b.associatedData)

/**
 * The intermediate session key, 64 bytes. Undefined when the peer's element is not valid: the run is to be ended.
 * Wipes `scalar`, whatever comes of it.
 */
export function deriveIsk(scalar: Uint8Array, peerElement: Uint8Array, run: Transcript): Uint8Array | undefined {
  const shared = scalarMultVfy(scalar, peerElement)
  scalar.fill(0)
  if (!shared) return undefined
  const input = lvCat(DSI_ISK, run.sid, shared)
  shared.fill(0)
  const isk = sha512(input, transcriptBytes(run))
  input.fill(0)
  return isk
}

/** The public name of a run, 64 bytes: the same on both sides, and no secret (section 9.6). */
export function sidOutput(run: Transcript): Uint8Array {
  return sha512(SID_OUTPUT, transcriptBytes(run))
}
