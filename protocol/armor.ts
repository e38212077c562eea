// Sealed bytes as text, for a terminal, a mail or a USB stick: base64 in lines of 64 between a BEGIN and an END line.
import { PpnError } from '../base/errors.ts'

const LINE_LENGTH = 64
const begin = (what: string) => `-----BEGIN ${what}-----`
const end = (what: string) => `-----END ${what}-----`

export function armorAs(what: string, bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64')
  const lines: string[] = []
  for (let i = 0; i < text.length; i += LINE_LENGTH) lines.push(text.slice(i, i + LINE_LENGTH))
  return `${[begin(what), ...lines, end(what)].join('\n')}\n`
}

/** The bytes between the two lines. White space and text around them are passed over; anything else is BadArmor. */
export function dearmorAs(what: string, text: string): Uint8Array {
  const lines = text.split('\n').map((line) => line.trim())
  const first = lines.indexOf(begin(what))
  if (first < 0) throw new PpnError('BadArmor', { why: 'the BEGIN line is missing' })
  const last = lines.indexOf(end(what), first)
  if (last < 0) throw new PpnError('BadArmor', { why: 'the END line is missing' })
  if (lines.indexOf(begin(what), first + 1) >= 0) throw new PpnError('BadArmor', { why: 'there is more than one' })
  const body = lines.slice(first + 1, last).join('')
  const bytes = new Uint8Array(Buffer.from(body, 'base64'))
  if (bytes.length === 0 || Buffer.from(bytes).toString('base64') !== body)
    throw new PpnError('BadArmor', { why: 'what is between the lines is not base64' })
  return bytes
}
