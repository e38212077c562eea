// The registry looked through as a file, by whoever has it: no authority runs, and nothing is written.
import { type ChainReport, inspectChain } from '../../base/chained-log.ts'
import type { Enrolment } from '../../controllers/ports/registry.ts'
import { verifyDomain } from '../../protocol/sign.ts'
import { registryLine } from './registry.ts'

export interface EnrolledNode extends Enrolment {
  atMs: number
  /** Has left, or was replaced. */
  left?: { atMs: number; reason: string }
}

export interface RegistryReport extends Omit<ChainReport, 'lines' | 'fault'> {
  lines: number
  /** Every enrolment there was, in order. */
  enrolments: EnrolledNode[]
  /** Restores that took lines for lost, by the place of their line in the file. */
  adopted: { line: number; lost: number }[]
  fault?: { line: number; fault: NonNullable<ChainReport['fault']>['fault'] | 'UnknownEntry'; why: string }
}

/**
 * `signingPublicKey`: of the authority; 32 bytes. `former`: of those that it replaced. Never throws, whatever the bytes
 * are.
 */
export function inspectRegistry(
  file: Uint8Array,
  name: string,
  signingPublicKey: Uint8Array,
  former: readonly Uint8Array[] = [],
): RegistryReport {
  const chain = inspectChain(file, name, {
    verify: (bytes, signature) =>
      [signingPublicKey, ...former].some((key) => verifyDomain('ppn-registry/1', bytes, signature, key)),
  })
  const { lines, ...rest } = chain
  const report: RegistryReport = { ...rest, lines: chain.head.count, enrolments: [], adopted: [] }
  for (const { n, entry } of lines) {
    const line = registryLine.safeParse(entry).data
    if (!line) return { ...report, fault: { line: n, fault: 'UnknownEntry', why: 'holds an entry not known here' } }
    if (line.type === 'adopt') report.adopted.push({ line: n, lost: line.head.count })
    else if (line.type === 'enrol') {
      const { type: _, ...enrolment } = line
      report.enrolments.push(enrolment)
    } else {
      const known = report.enrolments.find(({ enrolmentId, left }) => enrolmentId === line.enrolmentId && !left)
      if (known && line.type === 'retire') known.left = { atMs: line.atMs, reason: line.reason }
      else if (known && line.type === 'rekey') known.identity = line.identity
    }
  }
  return report
}

/**
 * Where two copies of one registry part: the number of the first line that is another one in each. Undefined: one is
 * the beginning of the other. Both are to be sound.
 */
export function forkOf(one: Uint8Array, other: Uint8Array): number | undefined {
  const hashes = (file: Uint8Array) => {
    const { lines, head } = inspectChain(file, '', {})
    return new Map([...lines.map(({ n, hash }): [number, string] => [n, hash]), [head.count, head.hash]])
  }
  const mine = hashes(one)
  const theirs = hashes(other)
  return [...mine]
    .filter(([n, hash]) => n > 0 && (theirs.get(n) ?? hash) !== hash)
    .map(([n]) => n)
    .sort((a, b) => a - b)[0]
}
