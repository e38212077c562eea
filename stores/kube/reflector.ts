// Keeps a copy of one collection of the API server: a paged list, then a watch from where the list stood, for ever.
//
//   list --complete--> watch --ended by the server--> watch again from the last event or bookmark
//    ^                   |
//    +--- 410 Gone ------+          anything else that fails: the same step again, after a wait
//
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
import type { Clock } from '../../base/clock.ts'
import { type KubeAnswer, type KubeApi, statusText } from './api.ts'
import { retryDelayMs } from './backoff.ts'
import { rawList } from './raw.ts'
import { type WatchEvent, watchEvent } from './watch-event.ts'

/** Objects a page: a few hundred KiB. */
const PAGE = 500
/** A watch is ended by the server after 5 to 10 minutes, so that connections spread over its replicas. */
const WATCH_S = 300
/** Bookmarks come about once a minute: without any byte for longer than this the connection is dead. */
const IDLE_MS = 90_000
/** A watch that ends sooner than this has not done well. */
const SHORT_MS = 1_000
/** Clients that have all lost their place at once do not all list at once. */
const RELIST_JITTER_MS = 1_000

export interface ReflectorTarget {
  /** The whole collection as of `resourceVersion`. Called only with a complete list. */
  replace(items: readonly unknown[], resourceVersion: string): void
  event(event: Exclude<WatchEvent, { type: 'ERROR' }>): void
  /** A word from the server: what we hold is current. */
  fresh(): void
  /** The server cannot be asked: `undefined` when it can again. */
  trouble(why: string | undefined): void
}

export interface ReflectorOptions {
  api: KubeApi
  /** Of the collection, without a query. */
  path: string
  target: ReflectorTarget
  clock: Clock
  random01(): number
  /** An item is reduced to this as it comes, so that no page is kept. */
  reduce(item: unknown): unknown
}

class Expired extends Error {}

class Failed extends Error {
  readonly retryAfterS: number | undefined
  constructor(answer: KubeAnswer) {
    super(statusText(answer))
    this.retryAfterS = answer.retryAfterS
  }
}

const queryOf = (path: string, query: Record<string, string | number | undefined>) => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  )
  return `${path}?${new URLSearchParams(pairs)}`
}

/** Runs until `signal` aborts; never rejects. */
export async function reflect(options: ReflectorOptions, signal: AbortSignal): Promise<void> {
  const { target, clock, random01 } = options
  let failures = 0
  let from: string | undefined
  while (!signal.aborted) {
    const began = clock.monotonic()
    const listing = from === undefined
    try {
      if (from === undefined) from = await list(options, signal)
      else {
        from = await watch(options, from, signal)
        if (clock.monotonic() - began < SHORT_MS) throw new Error('the watch ended as soon as it had begun')
      }
      target.trouble(undefined)
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof WatchBroken) from = error.last
      const cause = error instanceof WatchBroken ? error.cause : error
      failures = !listing && clock.monotonic() - began >= SHORT_MS ? 1 : failures + 1
      const asked = cause instanceof Failed ? cause.retryAfterS : undefined
      let waitMs = retryDelayMs(failures, random01(), asked)
      if (cause instanceof Expired) {
        from = undefined
        if (failures === 1) waitMs = random01() * RELIST_JITTER_MS
      } else target.trouble((cause as Error).message)
      await pause(clock, waitMs, signal)
    }
  }
}

const pause = (clock: Clock, ms: number, signal: AbortSignal) => clock.sleep(ms, signal).catch(() => {})

/** Resolves with where a watch shall begin, once the target holds all of it. */
async function list({ api, path, target, reduce }: ReflectorOptions, signal: AbortSignal): Promise<string> {
  const items: unknown[] = []
  let next: string | undefined
  for (;;) {
    const answer = await api.request({ method: 'GET', path: queryOf(path, { limit: PAGE, continue: next }), signal })
    // The snapshot that the pages are of was thrown away before we had the last one.
    if (answer.status === 410) throw new Expired('the list expired between two pages')
    if (answer.status !== 200) throw new Failed(answer)
    const page = rawList.parse(answer.body)
    for (const item of page.items) items.push(reduce(item))
    next = page.metadata.continue || undefined
    if (next !== undefined) continue
    target.replace(items, page.metadata.resourceVersion)
    return page.metadata.resourceVersion
  }
}

/** Broken in the midst: what came before counts, and the next watch begins after it. */
class WatchBroken extends Error {
  readonly last: string
  constructor(last: string, cause: unknown) {
    super('the watch broke', { cause })
    this.last = last
  }
}

/** Resolves with the last resource version seen when the server ends the watch as it should. */
async function watch(
  { api, path, target, clock, random01 }: ReflectorOptions,
  from: string,
  signal: AbortSignal,
): Promise<string> {
  let last = from
  const cut = new AbortController()
  const idle = () => cut.abort(new Error(`nothing came for ${IDLE_MS / 1000} s`))
  let timer = clock.after(IDLE_MS, idle)
  const event = (plain: unknown) => {
    timer.cancel()
    timer = clock.after(IDLE_MS, idle)
    const told = watchEvent(plain)
    if (told.type === 'ERROR') {
      throw told.code === 410 ? new Expired(told.message) : new Error(told.message)
    }
    last = told.resourceVersion
    if (told.type !== 'BOOKMARK') target.event(told)
    target.fresh()
  }
  const timeoutSeconds = Math.round(WATCH_S * (1 + random01()))
  const query = { watch: 1, resourceVersion: from, allowWatchBookmarks: 'true', timeoutSeconds }
  try {
    const on = { open: () => target.trouble(undefined), event }
    const answer = await api.watch(queryOf(path, query), on, AbortSignal.any([signal, cut.signal]))
    if (answer.status === 410) throw new Expired(statusText(answer))
    if (answer.status !== 200) throw new Failed(answer)
    return last
  } catch (error) {
    throw new WatchBroken(last, error)
  } finally {
    timer.cancel()
  }
}
