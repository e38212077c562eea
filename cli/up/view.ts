// What `ppn up` shows: a screen that is redrawn on a terminal, plain lines elsewhere.
import { styleText } from 'node:util'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import type { Io } from '../io.ts'
import { problemText } from '../output/problems.ts'
import { alignRows } from '../output/table.ts'
import { displayName } from '../resource.ts'
import { fleetReadiness, type Verdict, verdictOf } from './readiness.ts'

export interface Snapshot {
  fleet: string
  objects: readonly AnyObject[]
  problems: readonly SourceProblem[]
  /** E.g. braked, superseded, folder unreadable: what a person must know first. */
  notices: readonly string[]
}

export interface View {
  /** Something changed. */
  show(snapshot: Snapshot): void
  /** A line that stays, above whatever is redrawn. */
  say(line: string): void
  end(): void
}

const key = (o: AnyObject) => `${displayName(o)}${o.metadata.namespace ? ` (${o.metadata.namespace})` : ''}`

const NOTHING_WRONG = 'over: nothing is held back any more, and nothing is wrong with the folder'

/** A line whenever a verdict changes; the order of lines is the order of events. */
export function lineView(io: Pick<Io, 'out' | 'cwd'>): View {
  let told = new Map<string, string>()
  let toldProblems = new Set<string>()
  let wasReady = false
  return {
    show({ fleet, objects, problems, notices }) {
      const next = new Map<string, string>()
      for (const object of objects) {
        const v = verdictOf(object)
        const text = `Ready=${v.ready} ${v.reason}${v.ready === 'True' || v.message === '' ? '' : `: ${v.message}`}`
        next.set(key(object), text)
        if (told.get(key(object)) !== text) io.out(`${key(object)}  ${text}\n`)
      }
      for (const name of told.keys()) if (!next.has(name)) io.out(`${name}  gone\n`)
      told = next
      const lines = new Set([...notices.map((n) => `${n}\n`), ...problems.map((p) => problemText(io, p, fleet))])
      for (const line of lines) if (!toldProblems.has(line)) io.out(line)
      if (toldProblems.size > 0 && lines.size === 0) io.out(`${NOTHING_WRONG}\n`)
      toldProblems = lines
      const { ready, total } = fleetReadiness(objects, problems)
      if (ready && !wasReady && total > 0) io.out(`the fleet is Ready: ${summary(objects)}\n`)
      wasReady = ready
    },
    say: (line) => io.out(`${line}\n`),
    end() {},
  }
}

export function summary(objects: readonly AnyObject[]): string {
  const count = (kind: AnyObject['kind'], one: string, many: string) => {
    const n = objects.filter((o) => o.kind === kind).length
    return `${n} ${n === 1 ? one : many}`
  }
  return `${count('Node', 'node', 'nodes')}, ${count('Archive', 'archive', 'archives')}, ${count('ResourcePool', 'pool', 'pools')}`
}

/** Redrawn at most this often: faster than the eye, slow enough to cost nothing. */
const FRAME_MS = 100
const MARK = { True: '●', False: '✖', Unknown: '○' } as const
const COLOR = { True: 'green', False: 'red', Unknown: 'yellow' } as const

/**
 * Redraws in place. Every drawn line is cut to the width of the terminal, so that the number of lines to go back is
 * known; a fleet larger than the screen shows what is not Ready first.
 */
export function screenView(io: Io, rows: () => number, simulated = false): View {
  const after = simulated ? 'the simulated machines sleep until the next start' : 'the fleet runs on'
  let drawn = 0
  let pending: Snapshot | undefined
  let timer: { cancel(): void } | undefined
  let last: Snapshot | undefined
  const paint = (style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) =>
    io.color ? styleText(style, text, { validateStream: false }) : text

  const line = (verdict: Verdict, text: string) =>
    `${paint(COLOR[verdict.ready], MARK[verdict.ready])} ${text.slice(0, Math.max(10, io.columns() - 3))}`

  const lines = ({ fleet, objects, problems, notices }: Snapshot): string[] => {
    const { ready, total, readyCount } = fleetReadiness(objects, problems)
    const shown = objects.filter((o) => o.kind !== 'Pairing').map((object) => ({ object, verdict: verdictOf(object) }))
    const room = Math.max(3, rows() - 6 - notices.length - problems.length * 2)
    const order =
      shown.length > room
        ? shown.toSorted((a, b) => Number(a.verdict.ready === 'True') - Number(b.verdict.ready === 'True'))
        : shown
    const table = alignRows(
      order
        .slice(0, room)
        .map(({ object, verdict }) => [key(object), verdict.reason, verdict.ready === 'True' ? '' : verdict.message]),
    )
      .split('\n')
      .slice(0, -1)
    const head = ready ? paint('green', `Ready: ${summary(objects)}`) : `${readyCount} of ${total} Ready`
    return [
      paint('bold', `ppn  ${fleet}`),
      ...table.map((text, i) => line(order[i]?.verdict as Verdict, text)),
      ...(order.length > room ? [paint('dim', `  and ${order.length - room} more`)] : []),
      ...notices.map((n) => paint('yellow', n.slice(0, io.columns() - 1))),
      ...problems
        .flatMap((p) => problemText(io, p, fleet).trimEnd().split('\n'))
        .map((l) => paint('red', l.slice(0, io.columns() - 1))),
      head,
      paint('dim', `edit a file and watch; Ctrl-C stops the authority, ${after}`),
    ]
  }
  const erase = () => {
    if (drawn > 0) io.out(`\x1b[${drawn}A\x1b[0J`)
    drawn = 0
  }
  const draw = () => {
    timer = undefined
    if (!pending) return
    last = pending
    pending = undefined
    const text = lines(last)
    erase()
    io.out(`${text.join('\n')}\n`)
    drawn = text.length
  }
  return {
    show(snapshot) {
      pending = snapshot
      timer ??= io.clock.after(FRAME_MS, draw)
    },
    say(text) {
      erase()
      io.out(`${text}\n`)
      if (last) {
        pending ??= last
        draw()
      }
    },
    end() {
      timer?.cancel()
      draw()
    },
  }
}
