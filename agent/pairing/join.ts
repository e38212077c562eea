// `ppn join`: calls until the operator has declared the Pairing and decided. What a person has confirmed once holds for
// later calls to the same authority, so that a lost line costs nobody a second look at the digits.
import { CEREMONY_REFUSALS, MOST_DRAWS } from '../../api/ceremony.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import { generateCode, generateRendezvous } from '../../protocol/pairing/code.ts'
import { type AttemptOptions, attemptJoin, type DigitsVerdict, type Offer } from './attempt.ts'

export interface JoinOptions extends Omit<Offer, 'code' | 'rendezvous'> {
  clock: Clock
  random: RandomBytes
  log: Logger
  /** A new connection to the pairing port. */
  dial(signal: AbortSignal): Promise<Connection>
  /** Shows what the operator has to type. Called again when a code has run out and there is a new one. */
  show(secret: { rendezvous: string; code: string }): void
  /** Shows the digits and asks a person whether the authority's screen has the same. */
  compare: AttemptOptions['compare']
}

export interface Joined {
  /** Armored. Must be imported with this fingerprint, which verifies it. */
  bundle: string
  authorityFingerprint: string
  nodeName: string
}

/** A code is worth trying this long (section 7.4); after that there is a new one. */
const WINDOW_MS = 600_000
/** Between calls while nobody has declared the Pairing. */
const AGAIN_MS = 2_000

/**
 * Resolves with the first bundle. Rejects with PairingRefused when the authority says no, PairingDigitsDiffer when the
 * person at the node does, and with the abort's reason.
 */
export async function joinFleet(options: JoinOptions, signal: AbortSignal): Promise<Joined> {
  const { clock, random, log } = options
  let secret: { rendezvous: string; code: string } | undefined
  let madeMs = 0
  let draws = 0
  let trusted: { fingerprint: string; verdict: DigitsVerdict } | undefined

  const compare: AttemptOptions['compare'] = async (digits, awaiting, over) => {
    if (trusted && trusted.fingerprint === awaiting.authorityFingerprint) return trusted.verdict
    // Another authority than the one that was confirmed: somebody else has picked up.
    if (trusted) return 'differs'
    const verdict = await options.compare(digits, awaiting, over)
    if (verdict !== 'differs') trusted = { fingerprint: awaiting.authorityFingerprint, verdict }
    return verdict
  }
  for (;;) {
    signal.throwIfAborted()
    if (!secret || clock.monotonic() - madeMs >= WINDOW_MS || draws >= MOST_DRAWS) {
      draws = 0
      secret = { rendezvous: generateRendezvous(random), code: generateCode(random) }
      madeMs = clock.monotonic()
      options.show(secret)
    }
    const result = await attempt(secret)
    if (result.outcome === 'approved') {
      const { bundle, authorityFingerprint, nodeName } = result
      return { bundle, authorityFingerprint, nodeName }
    }
    // Once a person has confirmed this authority, digits decide nothing any more: only its bundle is taken.
    if (result.outcome === 'none' && result.digits !== undefined && !trusted) draws++
    if (result.outcome === 'differs') throw new PpnError('PairingDigitsDiffer', {})
    if (result.outcome === 'refused' && result.reason !== 'Busy')
      throw new PpnError('PairingRefused', { reason: result.reason, why: CEREMONY_REFUSALS[result.reason] })
    log.debug({ why: result.outcome === 'none' ? result.why : result.reason }, 'not joined yet, calling again')
    await clock.sleep(AGAIN_MS, signal)
  }

  async function attempt(offer: { rendezvous: string; code: string }) {
    const { identity, agentVersion, hostname } = options
    try {
      const connection = await options.dial(signal)
      return await attemptJoin(
        { ...offer, identity, agentVersion, hostname, connection, clock, random, compare },
        signal,
      )
    } catch (error) {
      signal.throwIfAborted()
      return { outcome: 'none' as const, why: String(error) }
    }
  }
}
