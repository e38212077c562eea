// Length-prefixed fields: the input of tags and key derivations, so that no two lists of fields share their bytes.

/** u16 big-endian length, then the bytes. */
export function lp(field: Uint8Array | string): Uint8Array {
  const bytes = typeof field === 'string' ? new TextEncoder().encode(field) : field
  const out = new Uint8Array(2 + bytes.length)
  new DataView(out.buffer).setUint16(0, bytes.length)
  out.set(bytes, 2)
  return out
}

/** Four bytes, big-endian. */
export function u32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value)
  return out
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** The 16 bytes of an id of 32 hex digits. */
export function idBytes(id: string): Uint8Array {
  return new Uint8Array(Buffer.from(id, 'hex'))
}
