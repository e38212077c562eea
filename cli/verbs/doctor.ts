// `ppn doctor`: what this machine lacks to be a node, or to run the authority, and the command that mends it.
import { loadAgentConfig } from '../../agent/main/config-file.ts'
import { SERVICE } from '../../authority/admin/socket-path.ts'
import { systemProcesses } from '../../base/processes.ts'
import { AUTHORITY_CHECKS } from '../doctor/authority.ts'
import { type Finding, install, runChecks } from '../doctor/finding.ts'
import { machineChecks } from '../doctor/machine.ts'
import { NODE_CHECKS } from '../doctor/node.ts'
import { authorityFacts, nodeFacts } from '../doctor/probe.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { alignRows } from '../output/table.ts'

export interface DoctorOptions {
  config?: string
  fleet?: string
  state?: string
  json?: boolean
}

/** Mesh.ports by default, beside the service's own. */
const NODE_NEEDS = { service: 'agent', ports: ['udp 51820', 'udp 8090', 'tcp 8092'], leastFreeMiB: 1024 } as const
const AUTHORITY_NEEDS = { service: 'authority', ports: ['tcp 8091', 'tcp 9180'], leastFreeMiB: 256 } as const

export async function doctor(io: Io, what: string | undefined, options: DoctorOptions): Promise<ExitCode> {
  const role = what ?? 'node'
  const findings = await examine(io, role, options)
  const lacking = findings.filter(({ verdict }) => verdict === 'lacks')
  if (options.json) io.out(`${JSON.stringify({ role, ready: lacking.length === 0, findings }, null, 2)}\n`)
  else io.out(report(role, findings))
  return lacking.length === 0 ? EXIT.ok : EXIT.no
}

async function examine(io: Io, role: string, options: DoctorOptions): Promise<Finding[]> {
  const probe = { processes: systemProcesses(), clock: io.clock, env: io.env }
  if (role === 'node') {
    const facts = await nodeFacts(probe, await loadAgentConfig(options.config))
    return [...runChecks(NODE_CHECKS, facts), ...runChecks(machineChecks(NODE_NEEDS), facts)]
  }
  if (role === 'authority') {
    const facts = await authorityFacts(probe, options.fleet ?? SERVICE.fleet, options.state ?? SERVICE.state)
    return [...runChecks(AUTHORITY_CHECKS, facts), ...runChecks(machineChecks(AUTHORITY_NEEDS), facts)]
  }
  throw new CliError(EXIT.usage, `"${role}" is neither node nor authority`, 'ppn doctor, or ppn doctor authority')
}

/** What lacks comes last, where a person looks; one command for all packages. */
export function report(role: string, findings: readonly Finding[]): string {
  const order = ['ok', 'warns', 'lacks'] as const
  const sorted = order.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict))
  const table = alignRows(
    sorted.map(({ verdict, check, found }) => [verdict === 'ok' ? 'ok' : verdict.toUpperCase(), check, found]),
  )
  const packages = [...new Set(sorted.flatMap((finding) => finding.packages ?? []))]
  const fixes = sorted.filter(({ verdict, packages: by }) => verdict !== 'ok' && by === undefined)
  const mend = [
    ...(packages.length > 0 ? [install(packages)] : []),
    ...fixes.map(({ check, fix }) => `${check}: ${fix}`),
  ].map((line) => `  ${line}\n`)
  const count = (verdict: Finding['verdict']) => findings.filter((finding) => finding.verdict === verdict).length
  const verdict = count('lacks') === 0 ? `this machine can be ${a(role)}` : `this machine cannot be ${a(role)} yet`
  const mending = mend.length > 0 ? `\nto mend:\n${mend.join('')}` : ''
  return `${table}${mending}\n${verdict}: ${count('ok')} ok, ${count('warns')} warnings, ${count('lacks')} lacking\n`
}

const a = (role: string) => (role === 'authority' ? 'an authority' : `a ${role}`)
