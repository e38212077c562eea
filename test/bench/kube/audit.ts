// Who asked the API server for what, from its audit log (audit.k8s.io/v1 Event, one line each), as it grows.
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

export interface Asked {
  agent: string
  /** `watch`, `list`, `patch status`. */
  what: string
  /** Name of the object; empty for a collection. */
  name: string
  status: number
  /** Wall clock: when the answer was complete. */
  endedMs: number
}

interface Line {
  stage: string
  verb: string
  userAgent?: string
  stageTimestamp: string
  objectRef?: { name?: string; resource?: string; subresource?: string }
  responseStatus?: { code?: number }
}

/** A watch is told of twice; its beginning counts. Undefined for the second time, and for what has no resource. */
export function askedBy(line: string): Asked | undefined {
  const { stage, verb, userAgent = '', stageTimestamp, objectRef, responseStatus } = JSON.parse(line) as Line
  const counts = verb === 'watch' ? stage === 'ResponseStarted' : stage === 'ResponseComplete'
  if (!counts || !objectRef?.resource) return undefined
  return {
    agent: userAgent,
    what: objectRef.subresource ? `${verb} ${objectRef.subresource}` : verb,
    name: objectRef.name ?? '',
    status: responseStatus?.code ?? 0,
    endedMs: Date.parse(stageTimestamp),
  }
}

/** Requests by what was asked. */
export function countAsked(all: readonly Asked[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { what } of all) counts[what] = (counts[what] ?? 0) + 1
  return counts
}

export interface AuditTail {
  /** Of one agent, since the last call for any. The server writes each line before it answers. */
  take(agent: string): Asked[]
  close(): void
}

const CHUNK = 1024 * 1024

/** Begins at the end. The server turns to a new file after 100 MiB: the old one is read out first. */
export function auditTail(file: string): AuditTail {
  let handle = openSync(file, 'r')
  let at = fstatSync(handle).size
  let rest = Buffer.alloc(0)
  const readOut = (): string[] => {
    const lines: string[] = []
    const part = Buffer.alloc(CHUNK)
    for (let got = readSync(handle, part, 0, CHUNK, at); got > 0; got = readSync(handle, part, 0, CHUNK, at)) {
      at += got
      const bytes = Buffer.concat([rest, part.subarray(0, got)])
      const end = bytes.lastIndexOf(0x0a) + 1
      lines.push(...bytes.toString('utf8', 0, end).split('\n').filter(Boolean))
      rest = bytes.subarray(end)
    }
    return lines
  }
  return {
    take(agent) {
      const lines = readOut()
      if (statSync(file).ino !== fstatSync(handle).ino) {
        lines.push(...readOut())
        closeSync(handle)
        handle = openSync(file, 'r')
        at = 0
        lines.push(...readOut())
      }
      return lines.flatMap((line) => {
        const asked = askedBy(line)
        return asked?.agent.startsWith(agent) ? [asked] : []
      })
    },
    close: () => closeSync(handle),
  }
}
