// One connection at the pairing port: handshake, offer, and then waiting for what the operator says.
import type { CeremonyRefusal } from '../../api/ceremony.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import { frameReader, lengthFrame } from '../../base/length-frames.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import {
  ALIVE_EVERY_MS,
  type AuthorityMessage,
  encodeAuthorityMessage,
  NODE_MESSAGE_LIMIT,
  type NodeMessage,
  readNodeMessage,
} from '../../protocol/pairing/ceremony.ts'
import type { Handshake, HandshakeFailure } from '../../protocol/pairing/handshake.ts'
import { respond } from '../../protocol/pairing/responder.ts'
import { decodeMessage, HANDSHAKE_LIMIT, MESSAGE, readHello } from '../../protocol/pairing/wire.ts'
import type { Desk, Line } from './desk.ts'
import { GATE } from './gate.ts'

/** Why a connection ended without anybody joining. */
export type SessionEnd =
  | HandshakeFailure
  | CeremonyRefusal
  | 'FrameTooLong'
  | 'TooSlow'
  | 'TooFast'
  | 'Silent'
  | 'UnknownMessage'
  | 'HungUp'

/** Room for a first bundle on a slow line. */
const DRAIN_MS = 30_000
/** Room for the one byte that says no to a stranger. */
const REFUSAL_DRAIN_MS = 2_000

/** A claim (section 7.5): the authority has dialled, for this Pairing. */
export interface OwnCall {
  handshake: Handshake
  /** Sent at once. */
  first: Uint8Array
  uid: string
  nodeName: string
}

export interface SessionOptions {
  connection: Connection
  call?: OwnCall
  /** What has come in already. */
  first?: Uint8Array
  /** As the operator sees it. */
  from: string
  clock: Clock
  random: RandomBytes
  desk: Desk
  authorityFingerprint: string
  /** Rations first messages. `known`: it names an open ceremony. */
  mayGreet(known: boolean): boolean
  /** The code was confirmed: a stranger no more. */
  confirmed(): void
  /** Armored; rejects while there is none yet. */
  firstBundle(nodeName: string, signal: AbortSignal): Promise<string>
  /** `why` undefined: the machine was given its bundle. `known`: it was about an open ceremony. */
  ended(why: SessionEnd | undefined, known: boolean): void
}

/** Runs until the connection ends; `end` may be called at any time. */
export function runSession(options: SessionOptions): { end(why: SessionEnd): void } {
  const { connection, clock, desk } = options
  const { stream } = connection
  const over = new AbortController()
  const { call } = options
  let uid = call?.uid
  let nodeName = call?.nodeName ?? ''
  let offered = false
  let approving = false
  /** Something was said that shall arrive. */
  let spoken = call !== undefined
  let digits = ''
  let deadline: Timer = clock.after(GATE.handshakeMs, () => end('TooSlow'))

  const answering = () =>
    respond({
      random: options.random,
      codeFor(hello) {
        const found = hello.purpose === 'join' ? desk.find(hello.selector) : undefined
        uid = found?.uid
        nodeName = found?.nodeName ?? ''
        return found?.code
      },
    })
  const handshake = call?.handshake ?? answering()
  const write = (bytes: Uint8Array) => {
    spoken = true
    stream.write(lengthFrame(bytes))
  }
  const say = (message: AuthorityMessage) => {
    if (handshake.state === 'Established') write(handshake.seal(encodeAuthorityMessage(message)))
  }
  const end = (why: SessionEnd | undefined) => {
    if (over.signal.aborted) return
    over.abort(new Error(why ?? 'done'))
    deadline.cancel()
    if (uid !== undefined) desk.hungUp(uid, line)
    const drainMs = handshake.state === 'Established' ? DRAIN_MS : REFUSAL_DRAIN_MS
    handshake.end()
    if (spoken) {
      // What was said last shall arrive; a peer that does not close its side is not waited for.
      stream.end()
      const drained = clock.after(drainMs, () => connection.destroy())
      stream.once('close', () => drained.cancel())
    } else connection.destroy()
    options.ended(why, uid !== undefined)
  }
  const line: Line = {
    refuse(reason) {
      say({ type: 'refused', reason })
      end(reason)
    },
    approve(name) {
      if (approving) return
      approving = true
      options
        .firstBundle(name, over.signal)
        .then((bundle) => {
          say({ type: 'approved', bundle })
          end(undefined)
        })
        // The line was lost meanwhile: the machine calls again.
        .catch(() => {})
    },
  }
  const heard = () => {
    deadline.cancel()
    deadline = clock.after(3 * ALIVE_EVERY_MS, () => end('Silent'))
  }
  const onEstablished = (sas: string) => {
    options.confirmed()
    heard()
    if (uid === undefined || !desk.take(uid, line)) {
      if (uid !== undefined) desk.giveDigitsBack(uid)
      say({ type: 'refused', reason: 'Busy' })
      end('Busy')
      return
    }
    digits = sas
  }
  const onMessage = (message: NodeMessage) => {
    heard()
    if (uid === undefined) return
    if (message.type === 'offer' && !offered) {
      offered = true
      const { identity, agentVersion, hostname } = message
      say({ type: 'awaiting', nodeName, authorityFingerprint: options.authorityFingerprint })
      desk.offered(uid, line, { identity, agentVersion, hostname, from: options.from, sas: digits })
    } else if (message.type === 'confirmed' && offered) desk.answered(uid, line, message.by)
    else if (message.type === 'differs' && offered) desk.answered(uid, line, 'differs')
    else if (message.type !== 'alive') end('UnknownMessage')
  }
  const isKnown = (bytes: Uint8Array): boolean => {
    const message = decodeMessage(bytes)
    return message?.type === MESSAGE.HELLO && desk.find(readHello(message.body).selector) !== undefined
  }
  const receive = (bytes: Uint8Array) => {
    if (over.signal.aborted) return
    if (handshake.state === 'AwaitHello' && !options.mayGreet(isKnown(bytes))) return end('TooFast')
    const step = handshake.receive(bytes)
    if (step.failed === 'NotConfirmed' && uid !== undefined) desk.countFailure(uid)
    // ANSWER when we were called, REVEAL when we call: with it the other side knows the digits.
    const tells = step.send && (handshake.state === 'AwaitReveal' || handshake.state === 'Established')
    if (tells && uid !== undefined && !desk.drawDigits(uid)) return end('Burned')
    if (step.send) write(step.send)
    if (step.failed) return end(step.failed)
    if (step.sas !== undefined) return onEstablished(step.sas)
    if (!step.data) return
    const message = readNodeMessage(step.data)
    if (message) onMessage(message)
    else end('UnknownMessage')
  }
  const reader = frameReader(() => (handshake.state === 'Established' ? NODE_MESSAGE_LIMIT : HANDSHAKE_LIMIT), receive)
  const push = (chunk: Uint8Array) => {
    if (over.signal.aborted) return
    try {
      reader.push(chunk)
    } catch {
      end('FrameTooLong')
    }
  }
  stream.on('data', push)
  stream.on('end', () => end('HungUp'))
  stream.on('close', () => end('HungUp'))
  if (call) write(call.first)
  if (options.first) push(options.first)
  return { end }
}
