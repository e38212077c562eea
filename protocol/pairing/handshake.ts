// The handshake of a ceremony (DESIGN 7.4): CPace, key confirmation both ways, a committed short authentication string.
//
//   initiator                                  responder
//   HELLO    selector, session id, share   ->
//                                          <-  SHARE    share
//   CONFIRM  tag, commitment to a nonce    ->           a wrong tag is a wrong code: counted, REFUSED
//                                          <-  ANSWER   tag, nonce
//   REVEAL   the committed nonce, sealed   ->           both know the six digits now
//   DATA     sealed, either way           <->
//
// The initiator confirms first: whoever dials with a guessed code has shown its guess before it learns anything.
// Pure but for the randomness passed in; one instance is one run. Anything unexpected ends the run and wipes its keys.

import type { Channel } from './channel.ts'
import { wipeKeys } from './schedule.ts'
import { decodeMessage, encodeMessage, MESSAGE, type Message } from './wire.ts'

export type HandshakeFailure =
  /** Not a message of this protocol. */
  | 'Malformed'
  | 'OutOfOrder'
  | 'VersionUnknown'
  /** Not an element of the group. */
  | 'BadShare'
  /** The other side does not know the code. At the responder this is what counts against the Pairing. */
  | 'NotConfirmed'
  /** The nonce is not the one that was committed to: somebody tried to steer the digits. */
  | 'CommitmentBroken'
  /** Altered, repeated, reordered, or of another ceremony. */
  | 'BadSeal'
  /** The other side ended it without saying why. */
  | 'Refused'

/** What came of a message. */
export interface Step {
  /** To be sent; also with some failures. */
  send?: Uint8Array
  /** The six digits, the moment they are known. */
  sas?: string
  /** What DATA held. */
  data?: Uint8Array
  /** The run is over. */
  failed?: HandshakeFailure
}

export type HandshakeState =
  | 'AwaitHello'
  | 'AwaitShare'
  | 'AwaitConfirm'
  | 'AwaitAnswer'
  | 'AwaitReveal'
  | 'Established'
  | 'Ended'

/** The one message each state takes. */
export const EXPECTS: Record<HandshakeState, number | undefined> = {
  AwaitHello: MESSAGE.HELLO,
  AwaitShare: MESSAGE.SHARE,
  AwaitConfirm: MESSAGE.CONFIRM,
  AwaitAnswer: MESSAGE.ANSWER,
  AwaitReveal: MESSAGE.REVEAL,
  Established: MESSAGE.DATA,
  Ended: undefined,
}

export interface Handshake {
  readonly state: HandshakeState
  /** The public name of the run, 64 bytes; undefined before the shares are exchanged. */
  readonly run: Uint8Array | undefined
  /** Never throws, whatever comes. After a failure every further message is OutOfOrder. */
  receive(bytes: Uint8Array): Step
  /** A DATA message. Throws before the run is established and after it ended. */
  seal(plain: Uint8Array): Uint8Array
  /** Wipes the keys. Idempotent. */
  end(): void
}

/** What a handler makes of the message its state expects. */
export interface Handled {
  step: Step
  next?: HandshakeState
}

/** The frame of both roles: one state, one expected message, and an end that leaves no key. */
export function machine(
  first: HandshakeState,
  options: {
    role: 'initiator' | 'responder'
    /** Handles the one message its state expects. */
    on(message: Message): Handled
    channel(): Channel | undefined
    wipe(): void
  },
): Handshake {
  let state = first
  const end = () => {
    state = 'Ended'
    options.wipe()
    const channel = options.channel()
    if (channel) wipeKeys(channel.keys)
  }
  const fail = (failed: HandshakeFailure, send?: Uint8Array): Step => {
    end()
    return { failed, ...(send && { send }) }
  }
  const ours = () => (options.role === 'initiator' ? options.channel()?.initiator : options.channel()?.responder)
  const theirs = () => (options.role === 'initiator' ? options.channel()?.responder : options.channel()?.initiator)
  return {
    get state() {
      return state
    },
    get run() {
      return options.channel()?.run
    },
    receive(bytes) {
      if (state === 'Ended') return { failed: 'OutOfOrder' }
      const message = decodeMessage(bytes)
      if (!message) return fail('Malformed')
      if (message.type === MESSAGE.REFUSED) return fail('Refused')
      if (message.type !== EXPECTS[state]) return fail('OutOfOrder')
      if (message.type === MESSAGE.DATA) {
        const data = theirs()?.open(message.body, MESSAGE.DATA)
        return data ? { data } : fail('BadSeal')
      }
      const { step, next } = options.on(message)
      if (step.failed) return fail(step.failed, step.send)
      if (next) state = next
      return step
    },
    seal(plain) {
      const direction = ours()
      if (state !== 'Established' || !direction) throw new Error(`nothing can be sealed in state ${state}`)
      return encodeMessage(MESSAGE.DATA, direction.seal(plain, MESSAGE.DATA))
    },
    end,
  }
}
