// The side that is dialled.
import type { RandomBytes } from '../../base/random.ts'
import { type Channel, openChannel, shareOf } from './channel.ts'
import { type Handled, type Handshake, machine } from './handshake.ts'
import { commitmentTo, sameBytes, shortAuthenticationString, tag } from './schedule.ts'
import {
  encodeMessage,
  HEADER_BYTES,
  type Hello,
  halves,
  MESSAGE,
  type Message,
  NONCE_BYTES,
  PAIRING_VERSION,
  readHello,
} from './wire.ts'

const REFUSAL = encodeMessage(MESSAGE.REFUSED)

export interface ResponderOptions {
  random: RandomBytes
  /** The code that goes with a HELLO; undefined: there is none, and the run will not be confirmed. */
  codeFor(hello: Hello): string | undefined
}

/** The authority of a join, or the node that is claimed. */
export function respond({ random, codeFor }: ResponderOptions): Handshake {
  const nonce = random(NONCE_BYTES)
  let channel: Channel | undefined
  let commitment: Uint8Array = new Uint8Array(0)

  const onHello = ({ body }: Message): Handled => {
    const hello = readHello(body)
    const { purpose } = hello
    if (hello.version !== PAIRING_VERSION || !purpose) return { step: { failed: 'VersionUnknown', send: REFUSAL } }
    const share = shareOf(codeFor(hello), { ...hello, purpose }, random)
    channel = openChannel(share, hello.share, {
      sid: hello.sid,
      initiator: { element: hello.share, associatedData: body.slice(0, HEADER_BYTES) },
      responder: { element: share.element, associatedData: new Uint8Array(0) },
    })
    if (!channel) return { step: { failed: 'BadShare', send: REFUSAL } }
    return { step: { send: encodeMessage(MESSAGE.SHARE, share.element) }, next: 'AwaitConfirm' }
  }
  const onConfirm = ({ body }: Message): Handled => {
    const [confirmation, committed] = halves(body)
    if (!channel || !sameBytes(confirmation, tag(channel.keys.confirmInitiator, channel.run, committed)))
      return { step: { failed: 'NotConfirmed', send: REFUSAL } }
    commitment = committed
    const send = encodeMessage(MESSAGE.ANSWER, tag(channel.keys.confirmResponder, channel.run, nonce), nonce)
    return { step: { send }, next: 'AwaitReveal' }
  }
  const onReveal = ({ body }: Message): Handled => {
    const theirNonce = channel?.initiator.open(body, MESSAGE.REVEAL)
    if (!channel || !theirNonce) return { step: { failed: 'BadSeal' } }
    if (!sameBytes(commitmentTo(theirNonce), commitment)) return { step: { failed: 'CommitmentBroken' } }
    return { step: { sas: shortAuthenticationString(channel.keys.sas, theirNonce, nonce) }, next: 'Established' }
  }
  const handlers: Partial<Record<number, typeof onHello>> = {
    [MESSAGE.HELLO]: onHello,
    [MESSAGE.CONFIRM]: onConfirm,
    [MESSAGE.REVEAL]: onReveal,
  }
  return machine('AwaitHello', {
    role: 'responder',
    on: (message) => handlers[message.type]?.(message) ?? { step: { failed: 'OutOfOrder' } },
    channel: () => channel,
    wipe: () => void nonce.fill(0),
  })
}
