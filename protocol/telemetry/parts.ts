// A report is as long as its lists; a frame is not. A snapshot goes out in numbered parts, a delta in several deltas.
import { canonicalBytes, withoutUndefined } from '../../base/canonical-json.ts'
import { BODY_LIMIT, type TelemetryFrame } from './frame.ts'
import { LISTS, sortReport } from './lists.ts'
import { type NodeReport, type NodeReportDelta, nodeReport, type Removals } from './report.ts'

/** Longest member name with its quotes, colon and commas: `"retainedDisks":[],`. */
const MEMBER_OVERHEAD = 24

const sizeOf = (value: unknown): number => canonicalBytes(value).length

/** Packs entries one by one into bodies of at most BODY_LIMIT bytes; the first begins as `start`. */
function pack(start: Record<string, unknown>, entries: Iterable<{ into: string; key?: string; value: unknown }>) {
  const bodies = [start]
  let size = sizeOf(start)
  for (const { into, key, value } of entries) {
    const more = sizeOf(value) + (key === undefined ? 0 : sizeOf(key) + 1) + 1
    if (size + more + MEMBER_OVERHEAD > BODY_LIMIT) {
      bodies.push({})
      size = 2
    }
    const body = bodies.at(-1) as Record<string, unknown>
    if (!(into in body)) {
      body[into] = key === undefined ? [] : {}
      size += MEMBER_OVERHEAD
    }
    if (key === undefined) (body[into] as unknown[]).push(value)
    else (body[into] as Record<string, unknown>)[key] = value
    size += more
  }
  return bodies
}

function* entriesOf(report: Partial<NodeReport>) {
  for (const list of LISTS) for (const value of report[list.name] ?? []) yield { into: list.name, value }
  for (const [key, value] of Object.entries(report.refusals ?? {})) yield { into: 'refusals', key, value }
}

/**
 * The parts of a snapshot, in order, each fit for the body of one frame. The first has every field that is no list;
 * together they have every field.
 */
export function splitReport(report: NodeReport): Partial<NodeReport>[] {
  const empty = Object.fromEntries(LISTS.map((list) => [list.name, []]))
  const plain = withoutUndefined(report)
  return pack({ ...plain, ...empty, refusals: {} }, entriesOf(plain))
}

function* removalsOf(removed: Removals) {
  for (const [into, keys] of Object.entries(removed)) for (const value of keys) yield { into, value }
}

/** Deltas that, merged in order, do what `delta` does; each fits one frame. Usually one: itself. */
export function splitDelta(delta: NodeReportDelta): NodeReportDelta[] {
  const plain = withoutUndefined(delta)
  if (sizeOf(plain) <= BODY_LIMIT) return [plain]
  const { removed, ...changed } = plain
  const listed = new Set<string>(['refusals', ...LISTS.map((list) => list.name)])
  const rest = Object.fromEntries(Object.entries(changed).filter(([name]) => !listed.has(name)))
  const removing = removed ? pack({}, removalsOf(removed)).map((keys) => ({ removed: keys as Removals })) : []
  return [...removing, ...pack(rest, entriesOf(changed))]
}

export type Assembled =
  | { state: 'complete'; report: NodeReport }
  | { state: 'waiting' }
  /** OutOfOrder: not the part expected next. Malformed: the parts do not make a report. */
  | { state: 'rejected'; reason: 'OutOfOrder' | 'Malformed' }

/**
 * Puts the parts of one connection's snapshots together. The parts of one snapshot come in order, of one boot id and
 * term, under sequences that follow each other. A part 1 always begins anew; anything else that does not fit is
 * rejected, together with what was there. Give it frames of type `full` only, as `openFrame` gives them.
 */
export function assembler(): { push(frame: TelemetryFrame): Assembled } {
  let got: TelemetryFrame[] = []

  const fits = (frame: TelemetryFrame): boolean => {
    const last = got.at(-1)
    if (!last) return frame.part === 1
    return (
      frame.part === last.part + 1 &&
      frame.parts === last.parts &&
      frame.term === last.term &&
      frame.header.bootId === last.header.bootId &&
      frame.header.sequence === last.header.sequence + 1
    )
  }

  return {
    push(frame) {
      if (frame.part === 1) got = []
      if (!fits(frame)) {
        got = []
        return { state: 'rejected', reason: 'OutOfOrder' }
      }
      got.push(frame)
      if (frame.part < frame.parts) return { state: 'waiting' }
      const report = reportOf(got.map((one) => one.body))
      got = []
      return report ? { state: 'complete', report: sortReport(report) } : { state: 'rejected', reason: 'Malformed' }
    },
  }
}

/** Fields that every report has. */
const REQUIRED = Object.entries(nodeReport.shape).flatMap(([name, field]) => (field.isOptional() ? [] : [name]))

/** Each body was checked when its frame was opened; together they must be whole, and within a report's bounds. */
function reportOf(bodies: readonly NodeReportDelta[]): NodeReport | undefined {
  const [only] = bodies
  // Most reports fit one frame: what was checked there need not be again.
  if (only && bodies.length === 1) return REQUIRED.every((name) => name in only) ? (only as NodeReport) : undefined
  return nodeReport.safeParse(joined(bodies)).data
}

function joined(bodies: readonly Partial<NodeReport>[]): Record<string, unknown> {
  const whole: Record<string, unknown> = {}
  for (const body of bodies) {
    for (const [name, value] of Object.entries(body)) {
      const before = whole[name]
      if (Array.isArray(before) && Array.isArray(value)) whole[name] = [...before, ...value]
      else if (name === 'refusals') whole[name] = { ...(before as object | undefined), ...(value as object) }
      else whole[name] = value
    }
  }
  return whole
}
