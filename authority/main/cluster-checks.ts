// What makes a replica on a cluster fit for work. That a standby stands by, and that a fleet has no authority node yet, is
// no fault of the process: a Deployment that waited for either would never be rolled out.
import type { Clock } from '../../base/clock.ts'
import type { KubeStore } from '../../stores/kube/store.ts'
import type { AdminBackend } from '../admin/backend.ts'
import type { Check } from './observability.ts'

/** Bookmarks come about once a minute; a watch is cut after 90 s of silence (stores/kube/reflector.ts). */
export const WATCH_FRESH_MS = 120_000

export interface ClusterState {
  store: Pick<KubeStore, 'health' | 'heard'> | undefined
  clock: Pick<Clock, 'monotonic'>
  leads: boolean
  holder: string | undefined
  /** Of the leader. */
  backend: Pick<AdminBackend, 'health'> | undefined
}

export function clusterChecks({ store, clock, leads, holder, backend }: ClusterState): Check[] {
  const health = store?.health()
  const watches = [...(store?.heard() ?? [])].map(([kind, heardMs]): Check => {
    const silentMs = clock.monotonic() - heardMs
    const name = `watch-${kind.toLowerCase()}`
    if (heardMs === 0) return { name, why: `${kind}: not read yet` }
    if (silentMs <= WATCH_FRESH_MS) return { name }
    return { name, why: `${kind}: the API server has been silent for ${Math.round(silentMs / 1000)} s` }
  })
  const unreadable = health?.unreadable === undefined ? undefined : `it cannot be read: ${health.unreadable}`
  const note = leads ? 'leading' : `standing by, ${holder ?? 'nobody'} leads`
  const led = backend?.health()
  return [
    { name: 'api-server', why: health ? unreadable : 'the API server has not been read yet' },
    ...watches,
    { name: 'leadership', note },
    ...(led ? [{ name: 'newest', why: led.superseded ? 'this authority is not the newest' : undefined }] : []),
    ...(led ? [{ name: 'serving', note: led.serving ? `term ${led.term}` : (led.servingReason ?? 'starting') }] : []),
  ]
}
