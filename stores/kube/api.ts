// What a store needs of an API server, and nothing of how it is reached. `connect.ts` is the real one.

export interface KubeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  path: string
  body?: unknown
  /** Of a PATCH: which kind of patch. */
  contentType?: string
  signal?: AbortSignal
  /**
   * How long to wait for the answer, 30 s by default. When it does not come in time, all that was silent as long is cut
   * off with it: for questions that are asked often and cost the server nothing.
   */
  withinMs?: number
}

export interface KubeAnswer {
  status: number
  /** Seconds to wait before the next try (Retry-After), when the server said so. */
  retryAfterS?: number
  /** The body as JSON; `{}` when there is none. */
  body: Record<string, unknown>
}

export interface KubeApi {
  /** Resolves with any answer, 4xx and 5xx too. Rejects when there is none in time. */
  request(request: KubeRequest): Promise<KubeAnswer>
  /**
   * A watch: tells `on` that it is open and of each JSON document, and resolves when the server ends it, also with an
   * answer that is no watch. Rejects when the connection breaks or the signal aborts.
   */
  watch(path: string, on: WatchListener, signal: AbortSignal): Promise<KubeAnswer>
}

/** One that throws breaks the watch, which rejects with what it threw. */
export interface WatchListener {
  open(): void
  event(document: unknown): void
}

export const PATCH = {
  /** Server-side apply. */
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
} as const

/** metav1.Status, as far as it is read. */
export const statusText = ({ status, body }: KubeAnswer): string =>
  typeof body.message === 'string' ? `${status} ${body.message}` : String(status)
