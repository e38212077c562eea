import type { Condition } from '../../api/meta.ts'
import type { AdminExplanation, AdminRun } from '../../authority/admin/backend.ts'
import { opName } from '../../protocol/command/ops.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { effectLines } from '../output/effects.ts'
import { displayName, keyOfTarget, parseTargets } from '../resource.ts'
import { requireAdmin } from '../state.ts'

export interface ExplainOptions {
  state?: string
  namespace?: string
  output?: string
}

function runText(run: AdminRun, nowMs: number): string {
  const lines = [
    `  ${humanDuration(nowMs - run.startedMs)} ago  ${run.controller}  ${run.result}${run.detail ? `: ${run.detail}` : ''}`,
    `    because ${run.reasons.join('; ')}; queued ${run.queuedMs.toFixed(0)} ms, took ${run.tookMs.toFixed(0)} ms`,
  ]
  const effects = run.planned.flat().flatMap((effect) => effectLines(effect, () => undefined))
  for (const line of effects) lines.push(`    planned ${line.split('\n')[0]}`)
  for (const message of run.messages) lines.push(`    ${message}`)
  return lines.map((line) => `${line}\n`).join('')
}

/** A line each: how the node is heard, what it discarded, its bundle, and the commands on their way. */
export function underWay(e: AdminExplanation): string[] {
  const lines: string[] = []
  if (e.view) {
    const heard =
      e.view.lastHeardMs === undefined ? 'never heard' : `last heard ${new Date(e.view.lastHeardMs).toISOString()}`
    lines.push(`node ${e.view.node} is ${e.view.liveness}, ${heard}`)
  }
  // A command is sent until telemetry shows it, so duplicates alone are nothing to tell.
  const counts = Object.entries(e.view?.report?.refusals ?? {})
  const refused = counts.map(([reason, count]) => `${reason} ${count}`)
  if (counts.some(([reason]) => reason !== 'Duplicate'))
    lines.push(`discarded there since its agent started: ${refused.sort().join(', ')}`)
  if (e.bundle && e.bundle.stage !== 'None')
    lines.push(
      `bundle of ${e.node}: revision ${e.bundle.revision ?? '-'} ${e.bundle.stage}${e.bundle.held ? ', held' : ''}${e.bundle.reason ? ` (${e.bundle.reason})` : ''}`,
    )
  for (const c of e.pending)
    lines.push(
      `command ${opName(c.op) ?? c.op} ${c.value} slot ${c.slot}: ${c.state}${c.reason ? ` (${c.reason})` : ''}`,
    )
  return lines
}

/** `ppn explain KIND/NAME`: why it is as it is, what is under way, and the last runs of its reconciler. */
export async function explain(io: Io, args: readonly string[], options: ExplainOptions): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const [target] = parseTargets(args)
  const key = keyOfTarget(target as NonNullable<typeof target>, options.namespace)
  const e = await client.explain(key)
  if (!e) throw new CliError(EXIT.no, `${key} not found`)
  if (options.output === 'json') {
    io.out(`${JSON.stringify(e, null, 2)}\n`)
    return EXIT.ok
  }
  const list = ((e.object.status as { conditions?: Condition[] } | undefined)?.conditions ?? []).filter(
    (c) => c.type === 'Ready',
  )
  io.out(`${displayName(e.object)}\n`)
  for (const c of list) io.out(`Ready=${c.status}, reason ${c.reason}: ${c.message}\n`)
  const now = underWay(e)
  io.out(`\nUnder way:\n${now.length === 0 ? '  nothing\n' : now.map((line) => `  ${line}\n`).join('')}`)
  io.out(`\nLast runs, newest last:\n${e.runs.map((run) => runText(run, io.clock.now())).join('') || '  none\n'}`)
  return EXIT.ok
}
