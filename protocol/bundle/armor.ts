// A sealed bundle as text, for a terminal, a mail or a USB stick.
import { PpnError } from '../../base/errors.ts'

const BEGIN = '-----BEGIN PPN BUNDLE-----'
const END = '-----END PPN BUNDLE-----'
const LINE_LENGTH = 64

/** Base64 in lines of 64 between a BEGIN and an END line. */
export function armorBundle(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64')
  const lines: string[] = []
  for (let i = 0; i < text.length; i += LINE_LENGTH) lines.push(text.slice(i, i + LINE_LENGTH))
  return `${[BEGIN, ...lines, END].join('\n')}\n`
}

/** The bytes between the two lines. White space and text around them are passed over; anything else is BadArmor. */
export function dearmorBundle(text: string): Uint8Array {
  const lines = text.split('\n').map((line) => line.trim())
  const begin = lines.indexOf(BEGIN)
  if (begin < 0) throw new PpnError('BadArmor', { why: 'the BEGIN line is missing' })
  const end = lines.indexOf(END, begin)
  if (end < 0) throw new PpnError('BadArmor', { why: 'the END line is missing' })
  if (lines.indexOf(BEGIN, begin + 1) >= 0) throw new PpnError('BadArmor', { why: 'there is more than one' })
  const body = lines.slice(begin + 1, end).join('')
  const bytes = new Uint8Array(Buffer.from(body, 'base64'))
  if (bytes.length === 0 || Buffer.from(bytes).toString('base64') !== body)
    throw new PpnError('BadArmor', { why: 'what is between the lines is not base64' })
  return bytes
}
