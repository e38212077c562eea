// The API server as one authority uses it: every request counted, and nothing written but by the leader.
import { PpnError } from '../../base/errors.ts'
import type { KubeApi, KubeRequest } from './api.ts'

/** What is written to; everything is one of these. */
export const WRITTEN = ['status', 'finalizers', 'objects', 'records', 'registry', 'events', 'lease'] as const
export type Written = (typeof WRITTEN)[number]

export interface KubeCounts {
  /** `code`: the status, or `<error>` when no answer came (as client-go calls it). */
  request(method: KubeRequest['method'], code: string): void
  /** A write that went through. */
  written(what: Written): void
}

export function writtenBy({ method, path }: Pick<KubeRequest, 'method' | 'path'>): Written | undefined {
  if (method === 'GET') return undefined
  const bare = path.split('?')[0] ?? ''
  if (bare.includes('/records')) return 'records'
  if (bare.includes('/registrylines')) return 'registry'
  if (bare.includes('/leases')) return 'lease'
  if (bare.startsWith('/apis/events.k8s.io/')) return 'events'
  if (bare.endsWith('/status')) return 'status'
  return method === 'PATCH' ? 'finalizers' : 'objects'
}

/** `api`, counted. */
export function countedApi(api: KubeApi, counts: KubeCounts): KubeApi {
  return {
    async request(request) {
      try {
        const answer = await api.request(request)
        counts.request(request.method, String(answer.status))
        const what = writtenBy(request)
        if (what && answer.status < 300) counts.written(what)
        return answer
      } catch (error) {
        if (!request.signal?.aborted) counts.request(request.method, '<error>')
        throw error
      }
    },
    async watch(path, on, signal) {
      const opened = () => {
        counts.request('GET', '200')
        on.open()
      }
      try {
        const answer = await api.watch(path, { ...on, open: opened }, signal)
        if (answer.status !== 200) counts.request('GET', String(answer.status))
        return answer
      } catch (error) {
        if (!signal.aborted) counts.request('GET', '<error>')
        throw error
      }
    },
  }
}

/** `api`, whose writes are refused with NotLeading unless `holds` says yes at that very moment. Reads pass. */
export function leaderApi(api: KubeApi, holds: () => boolean): KubeApi {
  return {
    watch: api.watch,
    async request(request) {
      if (request.method !== 'GET' && !holds()) throw new PpnError('NotLeading')
      return api.request(request)
    },
  }
}
