// What is said under the key of a ceremony: JSON in sealed DATA messages. Unknown fields are refused, as everywhere.
import { z } from 'zod'
import { CEREMONY_REFUSALS, type CeremonyRefusal } from '../../api/ceremony.ts'
import { nodeIdentity } from '../../api/v1alpha1/node.ts'

/** Bytes of the longest message a node sends: its keys and a few words about itself. */
export const NODE_MESSAGE_LIMIT = 4_096
/** The node says that it is there at least this often; silence for three of them ends the ceremony. */
export const ALIVE_EVERY_MS = 10_000

const word = z.string().max(128)

export const nodeMessage = z.discriminatedUnion('type', [
  /** First: the public keys that were made on the node. */
  z.strictObject({
    type: z.literal('offer'),
    identity: nodeIdentity,
    agentVersion: word,
    hostname: word,
  }),
  /** The digits are the same on both screens: a person said so, or `--trust-code` did without one. */
  z.strictObject({ type: z.literal('confirmed'), by: z.enum(['person', 'trustCode']) }),
  /** A person at the node said that the digits differ. */
  z.strictObject({ type: z.literal('differs') }),
  z.strictObject({ type: z.literal('alive') }),
])
export type NodeMessage = z.output<typeof nodeMessage>

export const authorityMessage = z.discriminatedUnion('type', [
  /** Answer to the offer: whom the node would join. Pinned by the node once the digits are confirmed. */
  z.strictObject({
    type: z.literal('awaiting'),
    nodeName: z.string().max(63),
    /** Of the authority's signing key, as keys.ts prints it. */
    authorityFingerprint: word,
  }),
  /** Enrolled, durably: the node's first bundle, armored, signed by that key. */
  z.strictObject({ type: z.literal('approved'), bundle: z.string().max(1_450_000) }),
  z.strictObject({ type: z.literal('refused'), reason: z.enum(Object.keys(CEREMONY_REFUSALS) as [CeremonyRefusal]) }),
])
export type AuthorityMessage = z.output<typeof authorityMessage>

const encode = (message: NodeMessage | AuthorityMessage) => new TextEncoder().encode(JSON.stringify(message))

function decode<S extends z.ZodType>(schema: S, bytes: Uint8Array): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))).data
  } catch {
    return undefined
  }
}

export const encodeNodeMessage = (message: NodeMessage): Uint8Array => encode(message)
export const encodeAuthorityMessage = (message: AuthorityMessage): Uint8Array => encode(message)
/** Undefined: not a message of this version. */
export const readNodeMessage = (bytes: Uint8Array): NodeMessage | undefined => decode(nodeMessage, bytes)
export const readAuthorityMessage = (bytes: Uint8Array): AuthorityMessage | undefined => decode(authorityMessage, bytes)
