// The side that dials.
import type { RandomBytes } from '../../base/random.ts'
import { type Channel, openChannel, shareOf } from './channel.ts'
import { type Handled, type Handshake, machine } from './handshake.ts'
import { commitmentTo, sameBytes, shortAuthenticationString, tag } from './schedule.ts'
import {
  encodeMessage,
  HEADER_BYTES,
  halves,
  helloBody,
  ID_BYTES,
  MESSAGE,
  type Message,
  NONCE_BYTES,
  type Purpose,
} from './wire.ts'

export interface InitiatorOptions {
  purpose: Purpose
  /** Four symbols. */
  selector: string
  /** `XXXX-XXXX`. */
  code: string
  random: RandomBytes
}

/** The node that joins, or the administrator that claims. `hello` is to be sent first. */
export function initiate(options: InitiatorOptions): { hello: Uint8Array; handshake: Handshake } {
  const { purpose, selector, code, random } = options
  const sid = random(ID_BYTES)
  const share = shareOf(code, { purpose, selector, sid }, random)
  const nonce = random(NONCE_BYTES)
  const body = helloBody({ purpose, selector, sid, share: share.element })
  let channel: Channel | undefined

  const onShare = ({ body: peer }: Message): Handled => {
    channel = openChannel(share, peer, {
      sid,
      initiator: { element: share.element, associatedData: body.subarray(0, HEADER_BYTES) },
      responder: { element: peer, associatedData: new Uint8Array(0) },
    })
    if (!channel) return { step: { failed: 'BadShare' } }
    const commitment = commitmentTo(nonce)
    const send = encodeMessage(MESSAGE.CONFIRM, tag(channel.keys.confirmInitiator, channel.run, commitment), commitment)
    return { step: { send }, next: 'AwaitAnswer' }
  }
  const onAnswer = ({ body: answer }: Message): Handled => {
    const [confirmation, theirNonce] = halves(answer)
    if (!channel || !sameBytes(confirmation, tag(channel.keys.confirmResponder, channel.run, theirNonce)))
      return { step: { failed: 'NotConfirmed' } }
    const sas = shortAuthenticationString(channel.keys.sas, nonce, theirNonce)
    const send = encodeMessage(MESSAGE.REVEAL, channel.initiator.seal(nonce, MESSAGE.REVEAL))
    return { step: { send, sas }, next: 'Established' }
  }
  const handshake = machine('AwaitShare', {
    role: 'initiator',
    on: (message) => (message.type === MESSAGE.SHARE ? onShare(message) : onAnswer(message)),
    channel: () => channel,
    wipe: () => {
      share.scalar.fill(0)
      nonce.fill(0)
    },
  })
  return { hello: encodeMessage(MESSAGE.HELLO, body), handshake }
}
