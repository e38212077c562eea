import { parseKey } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import type { AdminEvent } from '../../authority/admin/backend.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { alignRows } from '../output/table.ts'
import { keyOfTarget, parseTargets } from '../resource.ts'
import { requireAdmin } from '../state.ts'

export interface EventsOptions {
  state?: string
  namespace?: string
  output?: string
  headers?: boolean
}

/** `3m (x12 over 40m)`, as kubectl says how often. */
function seen(event: AdminEvent, nowMs: number): string {
  const last = humanDuration(nowMs - event.lastMs)
  return event.count > 1 ? `${last} (x${event.count} over ${humanDuration(nowMs - event.firstMs)})` : last
}

export function eventRows(events: readonly AdminEvent[], nowMs: number): string[][] {
  return events.map((event) => {
    const { kind, name } = parseKey(event.key)
    return [seen(event, nowMs), event.type, event.reason, `${NAMES[kind].singular}/${name}`, event.message]
  })
}

/** `ppn events [KIND/NAME]`: what happened, newest last. */
export async function events(io: Io, args: readonly string[], options: EventsOptions): Promise<ExitCode> {
  const client = await requireAdmin(io, options.state)
  const [target] = args.length > 0 ? parseTargets(args) : []
  const list = await client.events(target ? { key: keyOfTarget(target, options.namespace) } : {})
  if (options.output === 'json') io.out(`${JSON.stringify(list, null, 2)}\n`)
  else if (list.length === 0) io.err('no events found\n')
  else {
    const rows = eventRows(list, io.clock.now())
    io.out(
      alignRows(options.headers === false ? rows : [['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], ...rows]),
    )
  }
  return EXIT.ok
}
