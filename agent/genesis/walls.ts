// Everything closed but the holding port: an nftables table of our own (nft(8)), which nobody else's table sees. Where
// it is wanted at all: holding.closed (docs/decisions/0023).
import { PpnError } from '../../base/errors.ts'
import { type Processes, runOk } from '../../base/processes.ts'

export const WALLS_TABLE = 'ppn_holding'

export interface Gaps {
  /** TCP. */
  holdingPort: number
  /** TCP ports a person wants open all the same. */
  open: readonly number[]
  /** Of beacons, while they are listened for. */
  beaconPort?: number
}

/**
 * What a machine needs to have an address stays open: neighbour discovery (RFC 4861) and answers of DHCP. One
 * transaction: there is no moment without a table.
 */
export function wallsFor({ holdingPort, open, beaconPort }: Gaps): string {
  const ports = [...new Set([holdingPort, ...open])].sort((a, b) => a - b).join(', ')
  const rules = [
    'iifname "lo" accept',
    'ct state established,related accept',
    'icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept',
    'udp sport 67 udp dport 68 accept',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept',
    `tcp dport { ${ports} } accept`,
    ...(beaconPort === undefined ? [] : [`udp dport ${beaconPort} accept`]),
  ]
  return `table inet ${WALLS_TABLE}
delete table inet ${WALLS_TABLE}
table inet ${WALLS_TABLE} {
  chain input {
    type filter hook input priority filter; policy drop;
${rules.map((rule) => `    ${rule}`).join('\n')}
  }
}
`
}

/** Throws what the program says: a machine that shall be closed and is not must be known. */
export async function raiseWalls(processes: Processes, gaps: Gaps): Promise<void> {
  await runOk(processes, 'nft', ['-f', '-'], { input: wallsFor(gaps) })
}

/** As if they had never stood. No error when there are none, nor the program. */
export async function removeWalls(processes: Processes): Promise<void> {
  const args = ['delete', 'table', 'inet', WALLS_TABLE]
  const ran = await processes.run('nft', args).catch((error) => {
    if (error instanceof PpnError && error.code === 'ProgramMissing') return undefined
    throw error
  })
  if (!ran || ran.exitCode === 0 || /no such file or directory/i.test(ran.stderr)) return
  throw new PpnError('ProgramFailed', { command: `nft ${args.join(' ')}`, exitCode: ran.exitCode, said: ran.stderr })
}
