// The handshake's messages, byte for byte. Each travels behind a u32 length (base/length-frames.ts).
import { concat } from '../bytes.ts'

export const PAIRING_VERSION = 1

export const MESSAGE = {
  /** initiator: version u8, purpose u8, selector 4, session id 16, share 32 */
  HELLO: 1,
  /** responder: share 32 */
  SHARE: 2,
  /** initiator: confirmation 32, commitment 32 */
  CONFIRM: 3,
  /** responder: confirmation 32, nonce 32 */
  ANSWER: 4,
  /** initiator: nonce 32, sealed */
  REVEAL: 5,
  /** either: JSON, sealed */
  DATA: 6,
  /** responder, in place of any answer: nothing else follows. No byte of it says why. */
  REFUSED: 7,
} as const
export type MessageType = (typeof MESSAGE)[keyof typeof MESSAGE]

/** What a ceremony is for; bound into CPace's channel identifier, so that a code for one is worthless for the other. */
export const PURPOSE = { join: 1, claim: 2 } as const
export type Purpose = keyof typeof PURPOSE

/** Version, purpose and selector: associated data of CPace. */
export const HEADER_BYTES = 6
export const ID_BYTES = 16
export const SHARE_BYTES = 32
export const NONCE_BYTES = 32
const TAG_BYTES = 32
const GCM_TAG_BYTES = 16

/** HELLO with its type byte. */
export const HELLO_BYTES = 1 + HEADER_BYTES + ID_BYTES + SHARE_BYTES
/** Before the key is confirmed nothing longer is read: what a stranger can make us hold is this. */
export const HANDSHAKE_LIMIT = 96
/** Afterwards: a first bundle of at most 1 MiB (section 7.2), armored, and what goes with it. */
export const DATA_LIMIT = 1_500_000

/** Payload bytes of each handshake message. */
const LENGTH: Partial<Record<number, number>> = {
  [MESSAGE.HELLO]: 2 + 4 + ID_BYTES + SHARE_BYTES,
  [MESSAGE.SHARE]: SHARE_BYTES,
  [MESSAGE.CONFIRM]: TAG_BYTES + NONCE_BYTES,
  [MESSAGE.ANSWER]: TAG_BYTES + NONCE_BYTES,
  [MESSAGE.REVEAL]: NONCE_BYTES + GCM_TAG_BYTES,
  [MESSAGE.REFUSED]: 0,
}

export interface Message {
  type: number
  body: Uint8Array
}

export function encodeMessage(type: MessageType, ...parts: Uint8Array[]): Uint8Array {
  return concat(Uint8Array.of(type), ...parts)
}

/** Undefined: no message of this protocol, or not of its length. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const [type] = bytes
  const body = bytes.subarray(1)
  if (type === MESSAGE.DATA) return body.length >= GCM_TAG_BYTES ? { type, body } : undefined
  return type !== undefined && LENGTH[type] === body.length ? { type, body } : undefined
}

export interface Hello {
  version: number
  purpose: Purpose | undefined
  /** The rendezvous; ASCII. */
  selector: string
  sid: Uint8Array
  share: Uint8Array
}

export function helloBody(hello: Omit<Hello, 'version' | 'purpose'> & { purpose: Purpose }): Uint8Array {
  const selector = new TextEncoder().encode(hello.selector)
  return concat(Uint8Array.of(PAIRING_VERSION, PURPOSE[hello.purpose]), selector, hello.sid, hello.share)
}

export function readHello(body: Uint8Array): Hello {
  const purpose = (Object.keys(PURPOSE) as Purpose[]).find((name) => PURPOSE[name] === body[1])
  const selector = Buffer.from(body.subarray(2, 6)).toString('latin1')
  return { version: body[0]!, purpose, selector, sid: body.slice(6, 22), share: body.slice(22, 54) }
}

/** The two halves of CONFIRM and ANSWER. */
export function halves(body: Uint8Array): [Uint8Array, Uint8Array] {
  return [body.slice(0, TAG_BYTES), body.slice(TAG_BYTES)]
}
