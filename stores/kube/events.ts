// What happened to objects, as events.k8s.io/v1: `kubectl describe` shows them. One Event per (object, reason,
// generation); repeats raise its series, and are written together, so that a reconcile that says the same a hundred
// times costs one request in five minutes. An Event that cannot be written is lost: events are for reading, not facts.
import { createHash } from 'node:crypto'
import { API_VERSION } from '../../api/meta.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { EventRecorder } from '../../controllers/ports/world.ts'
import { type KubeApi, PATCH, statusText } from './api.ts'

/** Repeats of one event are written at most this often. */
const SERIES_EVERY_MS = 5 * 60_000
/** And no two of them closer than this: a fleet that has come to rest writes at most 10 times a minute, all told. */
const SERIES_SPACING_MS = 10_000
/** Events remembered; the longest unrepeated are forgotten first, and begin a new series when they come again. */
const REMEMBERED = 4_096
/** Events waiting for the API server; beyond this the newest are dropped. */
const WAITING = 1_024
/** Of an Event's note (events.k8s.io/v1). */
const NOTE_LENGTH = 1_024
const CONTROLLER = 'ppn.dev/authority'

interface Remembered {
  path: string
  count: number
  /** Count that the server knows. */
  written: number
  lastMs: number
  due: boolean
}

export interface KubeEventsOptions {
  api: Pick<KubeApi, 'request'>
  clock: Clock
  log: Logger
  /** Of this process. */
  instance: string
}

/** Cluster-scoped objects have their events here, as Kubernetes' own do. */
const namespaceOf = (namespace: string | undefined) => namespace ?? 'default'
const microTime = (ms: number) => new Date(ms).toISOString().replace('Z', '000Z')

/** Until `signal` aborts. `record` never throws and never waits. */
export function kubeEvents({ api, clock, log, instance }: KubeEventsOptions, signal: AbortSignal): EventRecorder {
  const remembered = new Map<string, Remembered>()
  let waiting = 0
  let turn: Promise<unknown> = Promise.resolve()

  /** One request at a time: nothing is gained by flooding the server with news. */
  const send = (request: Parameters<KubeApi['request']>[0], fits: readonly number[]) => {
    if (waiting >= WAITING || signal.aborted) return
    waiting++
    turn = turn
      .then(() => api.request({ ...request, signal }))
      .then((answer) => {
        if (!fits.includes(answer.status)) log.debug({ why: statusText(answer) }, 'an Event was not written')
      })
      .catch((error: Error) => log.debug({ error: error.message }, 'an Event was not written'))
      .finally(() => waiting--)
  }
  /** A timer holds the process: one that is asked to end does not stay for an Event. */
  const timers = new Set<Timer>()
  signal.addEventListener('abort', () => timers.forEach((timer) => void timer.cancel()), { once: true })
  const later = (ms: number, act: () => void) => {
    if (signal.aborted) return
    const timer = clock.after(ms, () => {
      timers.delete(timer)
      act()
    })
    timers.add(timer)
  }
  const ready: Remembered[] = []
  let spacing = false
  const writeNext = () => {
    const known = ready.shift()
    spacing = known !== undefined
    if (!known) return
    writeSeries(known)
    later(SERIES_SPACING_MS, writeNext)
  }
  const writeLater = (known: Remembered) =>
    later(SERIES_EVERY_MS, () => {
      ready.push(known)
      if (!spacing) writeNext()
    })
  const writeSeries = (known: Remembered) => {
    known.due = false
    if (known.count === known.written) return
    known.written = known.count
    const series = { count: known.count, lastObservedTime: microTime(known.lastMs) }
    send({ method: 'PATCH', path: known.path, contentType: PATCH.merge, body: { series } }, [200])
  }
  return {
    record(object, type, reason, message) {
      const { kind, name, namespace, uid, generation } = object
      const key = `${uid}/${reason}/${generation}`
      const nowMs = clock.now()
      const known = remembered.get(key)
      if (known) {
        remembered.delete(key)
        remembered.set(key, known)
        known.count++
        known.lastMs = nowMs
        if (known.due) return
        known.due = true
        writeLater(known)
        return
      }
      const within = namespaceOf(namespace)
      const collection = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(within)}/events`
      // Named by the time as well: another process begins an event of its own.
      const digest = createHash('sha256').update(`${key}/${instance}/${nowMs}`).digest('hex').slice(0, 16)
      const eventName = `${name}.${digest}`
      remembered.set(key, { path: `${collection}/${eventName}`, count: 1, written: 1, lastMs: nowMs, due: false })
      const oldest = remembered.keys().next().value
      if (remembered.size > REMEMBERED && oldest !== undefined) remembered.delete(oldest)
      const body = {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: eventName, namespace: within },
        eventTime: microTime(nowMs),
        reportingController: CONTROLLER,
        reportingInstance: instance,
        action: 'Reconcile',
        reason,
        type,
        regarding: { apiVersion: API_VERSION, kind, name, uid, ...(namespace !== undefined && { namespace }) },
        note: message.slice(0, NOTE_LENGTH),
      }
      send({ method: 'POST', path: collection, body }, [201])
    },
  }
}
