// The registry on a cluster: `nodes.jsonl` in pieces, one immutable object for each append, named by its number. Two
// writers cannot both append after the same line: the second one's name is taken.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import { type KubeApi, statusText } from './api.ts'
import { rawList } from './raw.ts'
import { RECORD_API_VERSION, registryPath } from './resources.ts'

const PAGE = 500
const TRIES = 3
/** Six digits keep the names in order; etcd is full long before. */
const lineName = (number: number): string => `nodes-${String(number).padStart(6, '0')}`
const piece = z.object({ number: z.int().min(1), text: z.string() })

export interface RegistryLines {
  /** Every byte so far, as of now. Throws KubeRefused, and ChainBroken when a piece is missing. */
  read(): Promise<Uint8Array>
  /** Durable when it resolves. Throws Conflict when somebody else has appended since the last `read`. */
  append(bytes: Uint8Array): Promise<void>
}

export function registryLines(api: Pick<KubeApi, 'request'>, namespace: string): RegistryLines {
  const path = registryPath(namespace)
  let last = 0
  const readAll = async (): Promise<z.output<typeof piece>[]> => {
    const found: z.output<typeof piece>[] = []
    for (let next: string | undefined; ; ) {
      const query = new URLSearchParams({ limit: String(PAGE), ...(next !== undefined && { continue: next }) })
      const answer = await api.request({ method: 'GET', path: `${path}?${query}` })
      if (answer.status !== 200) throw new PpnError('KubeUnreadable', { what: 'the registry', why: statusText(answer) })
      const page = rawList.parse(answer.body)
      found.push(...page.items.map((item) => piece.parse(item)))
      next = page.metadata.continue || undefined
      if (next === undefined) return found.sort((a, b) => a.number - b.number)
    }
  }
  return {
    async read() {
      const pieces = await readAll()
      for (const [index, { number }] of pieces.entries())
        if (number !== index + 1)
          throw new PpnError('ChainBroken', {
            name: 'the registry',
            line: index + 1,
            fault: 'OutOfOrder',
            why: `the object ${lineName(index + 1)} is missing`,
          })
      last = pieces.length
      return Buffer.from(pieces.map(({ text }) => text).join(''), 'utf8')
    },
    async append(bytes) {
      const number = last + 1
      const text = Buffer.from(bytes).toString('utf8')
      const metadata = { name: lineName(number), namespace }
      const body = { apiVersion: RECORD_API_VERSION, kind: 'RegistryLine', metadata, number, text }
      const what = `registry line ${number}`
      for (let tries = 1; ; tries++) {
        const answer = await api.request({ method: 'POST', path, body }).catch((error: Error) => error)
        if (!(answer instanceof Error) && answer.status === 201) break
        // An answer that did not come, or was a fault of the server, may hide that the line is there.
        const there = await api.request({ method: 'GET', path: `${path}/${metadata.name}` })
        if (there.status === 200) {
          if (piece.parse(there.body).text === text) break
          throw new PpnError('Conflict', { key: what })
        }
        if (tries < TRIES) continue
        if (answer instanceof Error) throw answer
        throw new PpnError('KubeRefused', { what, why: statusText(answer) })
      }
      last = number
    },
  }
}
