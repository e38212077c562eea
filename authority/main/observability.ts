// /metrics, /healthz and /readyz: what Prometheus and a supervisor ask. On loopback, unless another address is named:
// in a pod it is the pod's own, since the kubelet and Prometheus call from outside.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

/** A few scrapers and a supervisor. Every local user can dial this port: they shall not use up our file descriptors. */
const MOST_CONNECTIONS = 64
/** A request is one line and a few headers. */
const REQUEST_MS = 10_000

/** One thing that has to be well; `why` says what is not. `note` is for whoever asks for all of them. */
export interface Check {
  name: string
  why?: string | undefined
  note?: string
}

export interface ObservabilityOptions {
  port: number
  /** 127.0.0.1 by default: what is served needs no authentication. */
  address?: string
  metrics: Registry
  /** Everything that makes the process fit for work. */
  checks(): Check[]
}

const HERE = 'http://here'

/** As the API server writes its own. */
const checkLine = ({ name, why, note }: Check): string =>
  why === undefined ? `[+]${name} ok${note === undefined ? '' : `: ${note}`}\n` : `[-]${name} failed: ${why}\n`

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
    const url = new URL(URL.canParse(request.url ?? '/', HERE) ? (request.url ?? '/') : '/', HERE)
    const path = url.pathname
    if (path === '/metrics') return text(200, await options.metrics.metrics(), options.metrics.contentType)
    if (path === '/healthz') return text(200, 'ok\n')
    if (path === '/readyz') {
      const checks = options.checks()
      const bad = checks.filter(({ why }) => why !== undefined)
      const status = bad.length === 0 ? 200 : 503
      if (url.searchParams.has('verbose')) return text(status, checks.map(checkLine).join(''))
      return text(status, bad.length === 0 ? 'ok\n' : bad.map(({ why }) => `${why}\n`).join(''))
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
