// One line between a machine and an authority, from the handshake to an answer or the end of the line: a call to the
// pairing port, or a claim that came in while the machine holds (../genesis).
import type { CeremonyRefusal } from '../../api/ceremony.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { frameReader, lengthFrame } from '../../base/length-frames.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import {
  ALIVE_EVERY_MS,
  type AuthorityMessage,
  encodeNodeMessage,
  type NodeMessage,
  readAuthorityMessage,
} from '../../protocol/pairing/ceremony.ts'
import type { Handshake } from '../../protocol/pairing/handshake.ts'
import { initiate } from '../../protocol/pairing/initiator.ts'
import { DATA_LIMIT, HANDSHAKE_LIMIT } from '../../protocol/pairing/wire.ts'

/** What the person at the node (or `--trust-code` in their place) says of the digits. */
export type DigitsVerdict = 'person' | 'trustCode' | 'differs'

export interface Offer {
  code: string
  rendezvous: string
  identity: NodeIdentity
  agentVersion: string
  hostname: string
}

export type AttemptResult =
  /** The bundle is armored and not yet verified: its authority must have this fingerprint. */
  | { outcome: 'approved'; bundle: string; authorityFingerprint: string; nodeName: string }
  | { outcome: 'refused'; reason: CeremonyRefusal }
  /** A person at the node saw other digits: nothing of this authority is to be believed. */
  | { outcome: 'differs' }
  /** No such Pairing (yet), another code, or the line was lost: to be tried again. */
  | { outcome: 'none'; why: string; digits?: string }

export interface AttemptOptions extends Offer, Conversation {}

/** What a machine says and asks, whoever has dialled. */
export interface Conversation extends Omit<Offer, 'code' | 'rendezvous'> {
  connection: Connection
  clock: Clock
  random: RandomBytes
  /** Asked once the digits are known and it is known who speaks. `over`: the line is lost, nobody waits for an answer. */
  compare(
    digits: string,
    awaiting: { nodeName: string; authorityFingerprint: string },
    over: AbortSignal,
  ): Promise<DigitsVerdict>
}

/** Beyond a slow machine's curve arithmetic and a bad line. */
const HANDSHAKE_MS = 20_000

/** The machine has dialled. Resolves when the line is over. Rejects only with the abort's reason. */
export function attemptJoin(options: AttemptOptions, signal: AbortSignal): Promise<AttemptResult> {
  const { rendezvous: selector, code, random } = options
  const { hello, handshake } = initiate({ purpose: 'join', selector, code, random })
  return converse(options, { handshake, send: hello }, signal)
}

/** How a line begins: with our HELLO, or with our answer to one. `established`: the other side knows the code. */
export interface Opening {
  handshake: Handshake
  send: Uint8Array
  established?(): void
}

/** As `attemptJoin`, for either role of the handshake. */
export function converse(options: Conversation, opening: Opening, signal: AbortSignal): Promise<AttemptResult> {
  const { connection, clock } = options
  const { stream } = connection
  const { handshake } = opening
  return new Promise((resolve, reject) => {
    let over = false
    const ended = new AbortController()
    let digits = ''
    let awaiting: (AuthorityMessage & { type: 'awaiting' }) | undefined
    let confirmed = false
    let alive: Timer | undefined
    const deadline = clock.after(HANDSHAKE_MS, () => end({ outcome: 'none', why: 'no answer' }))

    const end = (result: AttemptResult | { error: unknown }) => {
      if (over) return
      over = true
      ended.abort(new Error('the line is over'))
      deadline.cancel()
      alive?.cancel()
      signal.removeEventListener('abort', onAbort)
      handshake.end()
      stream.end()
      connection.destroy()
      if ('error' in result) reject(result.error)
      else resolve(result.outcome === 'none' && digits !== '' ? { ...result, digits } : result)
    }
    const onAbort = () => end({ error: signal.reason })
    const say = (message: NodeMessage) => void stream.write(lengthFrame(handshake.seal(encodeNodeMessage(message))))
    const beat = () => {
      say({ type: 'alive' })
      alive = clock.after(ALIVE_EVERY_MS, beat)
    }
    const compare = async (who: AuthorityMessage & { type: 'awaiting' }) => {
      const verdict = await options.compare(digits, who, ended.signal)
      if (over) return
      if (verdict === 'differs') {
        say({ type: 'differs' })
        // Half-closed, so that it arrives; the operator is told, whoever is in between.
        stream.end(() => end({ outcome: 'differs' }))
        return
      }
      confirmed = true
      say({ type: 'confirmed', by: verdict })
    }
    const onMessage = (message: AuthorityMessage) => {
      if (message.type === 'refused') return end({ outcome: 'refused', reason: message.reason })
      if (message.type === 'awaiting' && !awaiting) {
        awaiting = message
        compare(message).catch((error) => end({ error }))
        return
      }
      if (message.type === 'approved' && awaiting && confirmed) {
        const { nodeName, authorityFingerprint } = awaiting
        return end({ outcome: 'approved', bundle: message.bundle, nodeName, authorityFingerprint })
      }
      end({ outcome: 'none', why: `${message.type} out of turn` })
    }
    const receive = (bytes: Uint8Array) => {
      if (over) return
      const step = handshake.receive(bytes)
      if (step.send) stream.write(lengthFrame(step.send))
      if (step.failed) return end({ outcome: 'none', why: step.failed })
      if (step.sas !== undefined) {
        digits = step.sas
        deadline.cancel()
        opening.established?.()
        const { identity, agentVersion, hostname } = options
        say({ type: 'offer', identity, agentVersion, hostname })
        alive = clock.after(ALIVE_EVERY_MS, beat)
        return
      }
      if (!step.data) return
      const message = readAuthorityMessage(step.data)
      if (message) onMessage(message)
      else end({ outcome: 'none', why: 'an unknown message' })
    }
    const reader = frameReader(() => (handshake.state === 'Established' ? DATA_LIMIT : HANDSHAKE_LIMIT), receive)
    stream.on('data', (chunk: Uint8Array) => {
      try {
        if (!over) reader.push(chunk)
      } catch {
        end({ outcome: 'none', why: 'a frame over the limit' })
      }
    })
    stream.on('close', () => end({ outcome: 'none', why: 'the line was lost' }))
    stream.on('end', () => end({ outcome: 'none', why: 'the line was closed' }))
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    stream.write(lengthFrame(opening.send))
  })
}
