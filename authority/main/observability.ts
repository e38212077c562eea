// /metrics, /healthz and /readyz: what Prometheus and a supervisor ask. On loopback, unless another address is named:
// in a pod it is the pod's own, since the kubelet and Prometheus call from outside.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

/** A few scrapers and a supervisor. Every local user can dial this port: they shall not use up our file descriptors. */
const MOST_CONNECTIONS = 64
/** A request is one line and a few headers. */
const REQUEST_MS = 10_000

export interface ObservabilityOptions {
  port: number
  /** 127.0.0.1 by default. */
  address?: string
  metrics: Registry
  /** Why the process is not fit for work; undefined: it is. */
  notReady(): string | undefined
}

export interface Observability {
  port: number
  close(): Promise<void>
}

/** Port 0 picks a free one. Rejects with EADDRINUSE when the port is taken. */
export async function serveObservability(options: ObservabilityOptions): Promise<Observability> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, async (request, response) => {
    const text = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type })
      response.end(body)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET\n')
    const path = (request.url ?? '/').split('?')[0]
    if (path === '/metrics') return text(200, await options.metrics.metrics(), options.metrics.contentType)
    if (path === '/healthz') return text(200, 'ok\n')
    if (path === '/readyz') {
      const why = options.notReady()
      return why === undefined ? text(200, 'ok\n') : text(503, `${why}\n`)
    }
    text(404, '/metrics, /healthz, /readyz\n')
  })
  server.maxConnections = MOST_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.address ?? '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
