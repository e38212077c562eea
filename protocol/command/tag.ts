import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, idBytes, lp, u32 } from '../bytes.ts'
import { AT, COMMAND_BYTES, type CommandContext, TAG_BYTES } from './layout.ts'

const COMMAND_LABEL = 'ppn-cmd/1'

/** What is tagged before bytes 0-8: label, mesh, authority, node, enrolment (16 bytes each) and term (u32), each length-prefixed. */
export function tagPrefix(context: CommandContext): Uint8Array {
  return concat(
    lp(COMMAND_LABEL),
    lp(idBytes(context.meshId)),
    lp(idBytes(context.authorityId)),
    lp(idBytes(context.nodeId)),
    lp(idBytes(context.enrolmentId)),
    lp(u32(context.term)),
  )
}

/**
 * Computes HMAC-SHA-256 of prefix and bytes 0-8; the tag is its first 7 bytes. The state after key and prefix is kept,
 * which leaves two compressions a packet. The result is overwritten by the next call.
 */
export function tagger(key: Uint8Array, context: CommandContext): (bytes: Uint8Array) => Uint8Array {
  const prefixed = hmac.create(sha256, key).update(tagPrefix(context))
  const scratch = prefixed.clone()
  const mac = new Uint8Array(sha256.outputLen)
  return (bytes) => {
    prefixed._cloneInto(scratch)
    scratch.update(bytes.subarray(0, AT.tag)).digestInto(mac)
    return mac
  }
}

/** `verifyTag` for many packets under one key. */
export function commandVerifier(key: Uint8Array, context: CommandContext): (bytes: Uint8Array) => boolean {
  const macOf = tagger(key, context)
  return (bytes) => {
    if (bytes.length !== COMMAND_BYTES) return false
    const mac = macOf(bytes)
    // Looks at every byte whatever the first ones were, so that time tells nothing.
    let difference = 0
    for (let i = 0; i < TAG_BYTES; i++) difference |= (mac[i] as number) ^ (bytes[AT.tag + i] as number)
    return difference === 0
  }
}

/** Whether a packet of 16 bytes carries the tag of this key in this context. In constant time. */
export function verifyTag(bytes: Uint8Array, key: Uint8Array, context: CommandContext): boolean {
  return commandVerifier(key, context)(bytes)
}
