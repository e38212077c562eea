// What the API server's audit log says of who did what (audit.k8s.io/v1 Event, one line each).
import { readFile } from 'node:fs/promises'

export interface Audited {
  user: string
  verb: string
  /** `nodes.ppn.dev/status`; `leases.coordination.k8s.io`. */
  resource: string
  status: number
}

interface Line {
  user: { username: string }
  verb: string
  objectRef?: { apiGroup?: string; resource?: string; subresource?: string }
  responseStatus?: { code?: number }
}

/** Everything so far that has to do with a resource. The server writes each line before it answers. */
export async function auditOf(file: string): Promise<Audited[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  return lines.flatMap((line) => {
    const { user, verb, objectRef, responseStatus } = JSON.parse(line) as Line
    if (!objectRef?.resource) return []
    const group = objectRef.apiGroup ? `.${objectRef.apiGroup}` : ''
    const sub = objectRef.subresource ? `/${objectRef.subresource}` : ''
    const resource = `${objectRef.resource}${group}${sub}`
    return [{ user: user.username, verb, resource, status: responseStatus?.code ?? 0 }]
  })
}
