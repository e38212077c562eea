// A chained log in segments: `audit.jsonl`, then `audit-000002.jsonl` and so on, one chain through all of them. Only the
// last segment is read at the start, so that years of lines cost no memory; `verify` reads every one.
import { type ChainedLogOptions, type ChainHead, headBefore, openChainedLog, verifyChain } from './chained-log.ts'
import type { Files } from './files.ts'

/** Some 60,000 lines of audit; read and verified in a fraction of a second. */
const SEGMENT_BYTES = 16 * 1024 * 1024

export interface SegmentedLog {
  /** As many lines in one durable write, in the order of the calls. */
  appendAll(entries: readonly object[]): Promise<ChainHead>
  head(): ChainHead
  /** Reads and verifies every segment, and that each goes on from the one before. Throws ChainBroken. */
  verify(): Promise<ChainHead>
}

const partsOf = (name: string): [stem: string, ending: string] => {
  const dot = name.lastIndexOf('.')
  return [name.slice(0, dot), name.slice(dot)]
}

function segmentName(name: string, number: number): string {
  const [stem, ending] = partsOf(name)
  return number === 1 ? name : `${stem}-${String(number).padStart(6, '0')}${ending}`
}

/** The segments of a log among the files of a folder, in order. */
export function segmentsAmong(names: readonly string[], name: string): string[] {
  const [stem, ending] = partsOf(name)
  const later = names.filter(
    (one) =>
      one.startsWith(`${stem}-`) && one.endsWith(ending) && /^\d{6,}$/.test(one.slice(stem.length + 1, -ending.length)),
  )
  return [...names.filter((one) => one === name), ...later.sort()]
}

/** Reads and verifies every segment; nothing is written. Throws ChainBroken. */
export async function verifySegments(
  files: Pick<Files, 'read' | 'list'>,
  name: string,
): Promise<{ head: ChainHead | undefined; segments: string[] }> {
  const segments = segmentsAmong(await files.list(), name)
  return { head: await verifyThrough(files, segments), segments }
}

async function verifyThrough(
  files: Pick<Files, 'read'>,
  segments: readonly string[],
  chain: Omit<ChainedLogOptions, 'after'> = {},
): Promise<ChainHead | undefined> {
  let head: ChainHead | undefined
  for (const segment of segments) head = await verifyChain(files, segment, { ...chain, after: head })
  return head
}

/** Opens or begins the log. Throws ChainBroken for its last segment. */
export async function openSegmentedLog(
  files: Files,
  name: string,
  options: Omit<ChainedLogOptions, 'after'> & { segmentBytes?: number } = {},
): Promise<SegmentedLog> {
  const { segmentBytes = SEGMENT_BYTES, ...chain } = options
  let number = Math.max(1, segmentsAmong(await files.list(), name).length)
  let size = 0
  const counted: Files = {
    ...files,
    async append(file, bytes) {
      await files.append(file, bytes)
      size += bytes.length
    },
  }
  const open = (after?: ChainHead) => openChainedLog(counted, segmentName(name, number), { ...chain, after })

  const verifyUpTo = (last: number) =>
    verifyThrough(
      files,
      Array.from({ length: last }, (_, at) => segmentName(name, at + 1)),
      chain,
    )
  const bytes = (await files.read(segmentName(name, number))) ?? new Uint8Array()
  size = bytes.length
  // A crash in the very first write of a segment leaves none of its lines: then the ones before have to say.
  const before = number === 1 ? undefined : (headBefore(bytes) ?? (await verifyUpTo(number - 1)))
  let log = await open(before)
  let turn: Promise<unknown> = Promise.resolve()

  return {
    appendAll(entries) {
      const run = turn.then(async () => {
        if (size >= segmentBytes) {
          const after = log.head()
          number++
          size = 0
          log = await open(after)
        }
        return log.appendAll(entries)
      })
      turn = run.catch(() => undefined)
      return run
    },
    head: () => log.head(),
    verify: async () => (await verifyUpTo(number)) as ChainHead,
  }
}
