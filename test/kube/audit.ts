// What the API server's audit log says of who did what (audit.k8s.io/v1 Event, one line each).
import { randomUUID } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface Audited {
  user: string
  /** As the program calls itself. */
  agent: string
  verb: string
  /** `nodes.ppn.dev/status`; `leases.coordination.k8s.io`. */
  resource: string
  status: number
  /** When the server got it, by the machine's wall clock. */
  atMs: number
}

interface Line {
  requestReceivedTimestamp: string
  user: { username: string }
  userAgent?: string
  verb: string
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string }
  responseStatus?: { code?: number }
}

/** Everything so far that has to do with a resource. The server writes each line before it answers. */
export async function auditOf(file: string): Promise<Audited[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.flatMap((line) => {
    const { requestReceivedTimestamp, user, userAgent = '', verb, objectRef, responseStatus } = JSON.parse(line) as Line
    if (!objectRef?.resource) return []
    const group = objectRef.apiGroup ? `.${objectRef.apiGroup}` : ''
    const sub = objectRef.subresource ? `/${objectRef.subresource}` : ''
    const resource = `${objectRef.resource}${group}${sub}`
    const atMs = Date.parse(requestReceivedTimestamp)
    return [{ user: user.username, agent: userAgent, verb, resource, status: responseStatus?.code ?? 0, atMs }]
  })
}

/** Who the authority is on a cluster. */
export const AUTHORITY = 'system:serviceaccount:ppn-system:ppn-authority'
/** Its own process, and what stands for it in a suite under whatever user. */
const AUTHORITY_AGENT = /^ppn-(authority|test)\b/

const byAuthority = ({ user, agent }: Audited) => user === AUTHORITY || AUTHORITY_AGENT.test(agent)

/** What authorities did in one suite. */
export interface Uses {
  /** Name of the suite's file. */
  suite: string
  /** How often, by `verb resource`. */
  uses: Record<string, number>
}

/** Kept in `folder`, for rbac.test.ts at the end of the run. */
export async function keepUses(folder: string, suite: string, auditLog: string): Promise<void> {
  const kept: Uses = { suite: basename(suite), uses: {} }
  for (const line of (await auditOf(auditLog)).filter(byAuthority)) {
    const action = `${line.verb} ${line.resource}`
    kept.uses[action] = (kept.uses[action] ?? 0) + 1
  }
  await writeFile(join(folder, `${randomUUID()}.json`), JSON.stringify(kept))
}

export async function keptUses(folder: string): Promise<Uses[]> {
  const names = await readdir(folder)
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Uses))
}
