// What a machine without a fleet shows on its screens: how to claim it, whom it calls, and the digits of a ceremony.
import type { Question } from './question.ts'
import type { Found } from './scan.ts'

export interface Shown {
  code: string
  /** Addresses of this machine. */
  addresses: readonly string[]
  port: number
  /** Everything else is closed; undefined: the other ports are as they were. */
  closed?: boolean
  /** Authorities that were found, and what to type there. */
  offer?: { found: readonly Found[]; rendezvous: string; code: string }
  question?: Question
}

const spaced = (text: string) => [...text].join(' ')

export function boardText(shown: Shown): string {
  const { code, addresses, port, offer, question } = shown
  const [first = 'ADDRESS'] = addresses
  const at = port === 9443 ? first : `${first.includes(':') ? `[${first}]` : first}:${port}`
  const lines = [
    'This machine belongs to no fleet yet.',
    '',
    `    claim it, at the authority:   ppn claim ${at} --node NAME`,
    '',
    `        code         ${spaced(code)}`,
    `        addresses    ${addresses.join(', ') || 'none yet'}; TCP ${port}`,
  ]
  if (shown.closed) lines.push('        every other port of this machine is closed (holding.closed)')
  if (offer)
    lines.push(
      '',
      `    or let it join the authority it found at ${offer.found.map(placeOf).join(', ')}:   ppn pair --node NAME`,
      '',
      `        rendezvous   ${spaced(offer.rendezvous)}`,
      `        code         ${spaced(offer.code)}`,
    )
  if (question)
    lines.push(
      '',
      `    It would become ${question.nodeName}; authority ${question.authorityFingerprint}`,
      '',
      `        digits       ${question.digits.slice(0, 3)} ${question.digits.slice(3)}`,
    )
  if (question?.asked) lines.push('', '    The authority must show the same digits. Say so here:   ppn agent holding')
  return `\n${lines.map((line) => (line ? `  ${line}` : line)).join('\n')}\n\n`
}

const placeOf = ({ address, pairingPort, fingerprintPrefix }: Found) =>
  `${address}:${pairingPort} (${fingerprintPrefix}...)`
