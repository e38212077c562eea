// What both roles make of the code and the shares.
import type { RandomBytes } from '../../base/random.ts'
import { type CpaceSecret, type CpaceShare, deriveIsk, makeShare, sidOutput, type Transcript } from '../cpace/cpace.ts'
import { lvCat } from '../cpace/strings.ts'
import { passwordOf } from './code.ts'
import { type CeremonyKeys, ceremonyKeys } from './schedule.ts'
import { type SealedDirection, sealedDirection } from './sealed.ts'
import { PAIRING_VERSION, PURPOSE, type Purpose } from './wire.ts'

export interface Channel {
  keys: CeremonyKeys
  /** The public name of the run, 64 bytes. */
  run: Uint8Array
  initiator: SealedDirection
  responder: SealedDirection
}

const utf8 = (text: string) => new TextEncoder().encode(text)

/**
 * CPace's input. The channel identifier binds version, purpose and selector. Without a code the run looks the same and
 * cannot be confirmed: a stranger does not learn which selectors are alive.
 */
export function secretOf(
  code: string | undefined,
  hello: { purpose: Purpose; selector: string; sid: Uint8Array },
  random: RandomBytes,
): CpaceSecret {
  const ci = lvCat(utf8('ppn-pair/1'), Uint8Array.of(PAIRING_VERSION, PURPOSE[hello.purpose]), utf8(hello.selector))
  return { prs: code === undefined ? random(32) : passwordOf(code), ci, sid: hello.sid }
}

/**
 * Our share of a run. The password's bytes are wiped; the code itself is a string, which nothing can wipe: it is worth
 * something for ten minutes.
 */
export function shareOf(...of: Parameters<typeof secretOf>): CpaceShare {
  const secret = secretOf(...of)
  const share = makeShare(secret, of[2])
  secret.prs.fill(0)
  return share
}

/** Undefined: the peer's share is not valid. Wipes our scalar. */
export function openChannel(share: CpaceShare, peer: Uint8Array, transcript: Transcript): Channel | undefined {
  const isk = deriveIsk(share.scalar, peer, transcript)
  if (!isk) return undefined
  const run = sidOutput(transcript)
  const keys = ceremonyKeys(isk, run)
  const initiator = sealedDirection(keys.sealInitiator, run)
  return { keys, run, initiator, responder: sealedDirection(keys.sealResponder, run) }
}
