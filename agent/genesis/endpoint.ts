// The holding endpoint, TCP 9443 (DESIGN 7.5): what a machine without a fleet shows the network. To whoever does not
// send one valid claim frame it says not a byte, and every connection ends at the same deadline, whatever came: from
// outside, a wrong version, a wrong length, a missing signature and a machine that is busy look the same.
import type { Clock, Timer } from '../../base/clock.ts'
import { lengthFrame } from '../../base/length-frames.ts'
import type { RandomBytes } from '../../base/random.ts'
import type { Connection } from '../../base/transport.ts'
import { CLAIM_BYTES, type Claim, readClaim, verifyGrant } from '../../protocol/pairing/claim-frame.ts'
import type { Handshake } from '../../protocol/pairing/handshake.ts'
import { respond } from '../../protocol/pairing/responder.ts'

/** Every connection without a confirmed code ends this long after it was accepted. */
export const DEADLINE_MS = 10_000
/** One attempt at the code in this time, over all sources. An attempt that knew the code is none. */
export const ATTEMPT_EVERY_MS = 60_000
/** Connections held at a time; one more ends the oldest. A claim that is answered no longer counts. */
export const OPEN_AT_MOST = 64

const FRAME_BYTES = lengthFrame(new Uint8Array(CLAIM_BYTES)).length
const PREFIX = lengthFrame(new Uint8Array(CLAIM_BYTES)).subarray(0, FRAME_BYTES - CLAIM_BYTES)

/** A claim that is answered, from the SHARE on. */
export interface AnsweredClaim {
  connection: Connection
  claim: Claim
  handshake: Handshake
  /** SHARE; the first byte this machine says. */
  send: Uint8Array
  /** To be called when the other side has shown that it knows the code. */
  established(): void
}

export interface EndpointOptions {
  clock: Clock
  random: RandomBytes
  code: string
  /** Ed25519; where an image holds one, a claim without its signature is not answered. */
  operatorKey?: Uint8Array
  /** The ceremony; resolves when its line is over. Never rejects. */
  converse(answered: AnsweredClaim): Promise<void>
}

export interface HoldingEndpoint {
  accept(connection: Connection): void
  /** Ends every connection, the claim under way included. */
  end(): void
}

export function holdingEndpoint(options: EndpointOptions): HoldingEndpoint {
  const { clock, random, code, operatorKey } = options
  /** In the order they came. */
  const waiting = new Set<() => void>()
  let talking: Connection | undefined
  let answersFromMs = Number.NEGATIVE_INFINITY

  const mayAnswer = () => !talking && clock.monotonic() >= answersFromMs
  const blessed = (claim: Claim) => operatorKey === undefined || verifyGrant(claim, operatorKey)

  const answer = (connection: Connection, claim: Claim, deadline: Timer): boolean => {
    const handshake = respond({ random, codeFor: () => code })
    const { send, failed } = handshake.receive(claim.hello)
    if (failed || !send) return false
    answersFromMs = clock.monotonic() + ATTEMPT_EVERY_MS
    talking = connection
    const established = () => {
      deadline.cancel()
      answersFromMs = Number.NEGATIVE_INFINITY
    }
    void options.converse({ connection, claim, handshake, send, established }).finally(() => {
      deadline.cancel()
      connection.destroy()
      talking = undefined
    })
    return true
  }

  return {
    accept(connection) {
      const { stream } = connection
      let held = new Uint8Array(0)
      const close = () => {
        deadline.cancel()
        waiting.delete(close)
        connection.destroy()
      }
      const deadline = clock.after(DEADLINE_MS, close)
      /** Whatever else comes is left in the kernel's buffers. */
      const deaf = () => {
        stream.off('data', onData)
        stream.pause()
      }
      const onData = (chunk: Uint8Array) => {
        const room = FRAME_BYTES + 1 - held.length
        held = new Uint8Array(Buffer.concat([held, chunk.subarray(0, room)]))
        if (!PREFIX.every((byte, i) => i >= held.length || held[i] === byte)) return deaf()
        if (held.length < FRAME_BYTES) return
        const claim = readClaim(held.subarray(PREFIX.length))
        if (!claim || !mayAnswer() || !blessed(claim)) return deaf()
        stream.off('data', onData)
        stream.off('close', close)
        waiting.delete(close)
        if (answer(connection, claim, deadline)) return
        stream.on('close', close)
        waiting.add(close)
        deaf()
      }
      // A stream without a listener would end the process.
      stream.on('error', () => {})
      stream.on('data', onData)
      stream.on('close', close)
      waiting.add(close)
      const [oldest] = waiting
      if (waiting.size > OPEN_AT_MOST) oldest?.()
    },
    end() {
      for (const close of [...waiting]) close()
      talking?.destroy()
    },
  }
}
