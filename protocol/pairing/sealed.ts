// One direction of a ceremony's channel: AES-256-GCM (NIST SP 800-38D), the nonce is a counter, so that a message
// dropped, repeated or reordered does not open.
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concat } from '../bytes.ts'

const TAG_BYTES = 16
const NONCE_BYTES = 12

export interface SealedDirection {
  seal(plain: Uint8Array, type: number): Uint8Array
  /** Undefined: not what the other side sealed next. The direction is dead then. */
  open(sealed: Uint8Array, type: number): Uint8Array | undefined
}

/** `run` names the ceremony: what was sealed in another one does not open, even under the same key. */
export function sealedDirection(key: Uint8Array, run: Uint8Array): SealedDirection {
  let count = 0
  let dead = false
  const nonce = () => {
    const bytes = new Uint8Array(NONCE_BYTES)
    new DataView(bytes.buffer).setUint32(NONCE_BYTES - 4, count++)
    return bytes
  }
  const about = (type: number) => concat(run, Uint8Array.of(type))
  return {
    seal(plain, type) {
      const cipher = createCipheriv('aes-256-gcm', key, nonce())
      cipher.setAAD(about(type))
      const body = cipher.update(plain)
      cipher.final()
      return concat(body, cipher.getAuthTag())
    },
    open(sealed, type) {
      if (dead || sealed.length < TAG_BYTES) {
        dead = true
        return undefined
      }
      const decipher = createDecipheriv('aes-256-gcm', key, nonce(), { authTagLength: TAG_BYTES })
      decipher.setAAD(about(type))
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
      const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES))
      try {
        decipher.final()
        return new Uint8Array(plain)
      } catch {
        dead = true
        return undefined
      }
    },
  }
}
