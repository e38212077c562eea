import { stringify } from 'yaml'
import type { Condition } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { AdminClient } from '../../authority/admin/client.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { tellNotices } from '../output/notices.ts'
import { alignRows } from '../output/table.ts'
import { keyOfTarget, parseTargets } from '../resource.ts'
import { readFleet } from '../state.ts'
import { eventRows } from './events.ts'

export interface DescribeOptions {
  state?: string
  namespace?: string
}

const indent = (text: string) => text.replace(/^(?=.)/gm, '  ')

function conditions(list: readonly Condition[], nowMs: number): string {
  const rows = list.map((c) => [
    c.type,
    c.status,
    c.reason,
    humanDuration(nowMs - Date.parse(c.lastTransitionTime)),
    c.message,
  ])
  return indent(alignRows([['TYPE', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'], ...rows]))
}

function pairs(title: string, entries: Readonly<Record<string, string>>): string {
  const rows = Object.entries(entries)
  return rows.length === 0 ? `${title}: <none>\n` : `${title}:\n${rows.map(([k, v]) => `  ${k}: ${v}\n`).join('')}`
}

/** Everything there is to say of one object, for a person. */
async function one(io: Io, object: AnyObject, client: AdminClient | undefined): Promise<string> {
  const { metadata: m, kind } = object
  const nowMs = io.clock.now()
  const {
    conditions: list = [],
    observedGeneration,
    ...facts
  } = (object.status ?? {}) as unknown as {
    conditions?: Condition[]
    observedGeneration?: number
  }
  const lines = [`Name: ${m.name}\n`]
  if (m.namespace !== undefined) lines.push(`Namespace: ${m.namespace}\n`)
  lines.push(`Kind: ${kind}\n`, pairs('Labels', m.labels), pairs('Annotations', m.annotations))
  lines.push(`UID: ${m.uid}\n`, `Generation: ${m.generation} (observed: ${observedGeneration ?? 'never'})\n`)
  lines.push(`Created: ${m.creationTimestamp} (${humanDuration(nowMs - Date.parse(m.creationTimestamp))} ago)\n`)
  if (m.deletionTimestamp !== undefined)
    lines.push(`Deleted: ${m.deletionTimestamp}, waiting for ${m.finalizers.join(', ') || 'nothing'}\n`)
  lines.push(`Spec:\n${indent(stringify(object.spec))}`)
  if (Object.keys(facts).length > 0) lines.push(`Status:\n${indent(stringify(JSON.parse(JSON.stringify(facts))))}`)
  if (list.length > 0) lines.push(`Conditions:\n${conditions(list, nowMs)}`)
  if (client) {
    const key = keyOfTarget({ kind, name: m.name }, m.namespace)
    const events = await client.events({ key })
    lines.push(
      events.length === 0
        ? 'Events: <none>\n'
        : `Events:\n${indent(alignRows([['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], ...eventRows(events, nowMs)]))}`,
    )
  }
  return lines.join('')
}

/** `ppn describe KIND [NAME]`. */
export async function describe(io: Io, args: readonly string[], options: DescribeOptions): Promise<ExitCode> {
  const targets = parseTargets(args)
  const { objects, writtenMs, client } = await readFleet(io, options.state)
  if (writtenMs !== undefined)
    io.err(`no authority runs; this is its state of ${humanDuration(io.clock.now() - writtenMs)} ago\n`)
  let code: ExitCode = EXIT.ok
  let first = true
  for (const { kind, name } of targets) {
    const found = objects.filter(
      (o) =>
        o.kind === kind &&
        (name === undefined || o.metadata.name === name) &&
        (options.namespace === undefined ||
          o.metadata.namespace === undefined ||
          o.metadata.namespace === options.namespace),
    )
    if (found.length === 0 && name !== undefined) {
      io.err(`${NAMES[kind].plural}.ppn.dev "${name}" not found\n`)
      code = EXIT.no
    }
    for (const object of found) {
      if (!first) io.out('\n\n')
      first = false
      io.out(await one(io, object, client))
    }
  }
  if (client) await tellNotices(io, client)
  return code
}
