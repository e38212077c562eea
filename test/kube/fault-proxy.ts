// Between a store and its API server: passes everything on until told to misbehave.
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Cluster } from '../../hack/kube/cluster.ts'

export interface Faults {
  /** No connection lives or comes about. */
  down?: boolean
  /** Half-open: connections are accepted, and nothing is ever answered. What hangs then hangs for good. */
  mute?: boolean
  /** Added before every request is passed on. */
  latencyMs?: number
  /** Answers instead of the server's: status by request, undefined to pass it on. */
  refuse?(method: string, url: string): { status: number; headers?: Record<string, string>; body?: unknown } | undefined
}

export interface FaultProxy {
  readonly url: string
  set(faults: Faults): void
  /** Every open watch breaks off, in the middle of whatever it says. */
  cutWatches(): void
  /** Method and path of everything passed on. */
  passed: { method: string; url: string }[]
  /** How often the server itself has said 410 Gone, in an answer or in a watch. */
  readonly gone: number
  close(): Promise<void>
}

export async function faultProxy(cluster: Pick<Cluster, 'url' | 'ca'>): Promise<FaultProxy> {
  const agent = new https.Agent({ ca: cluster.ca, keepAlive: true })
  const watches = new Set<http.ServerResponse>()
  const passed: { method: string; url: string }[] = []
  let faults: Faults = {}
  let gone = 0
  /** Rises when everything that is open falls mute. */
  let age = 0

  const forward = (request: http.IncomingMessage, response: http.ServerResponse) => {
    const { method = 'GET', url = '/' } = request
    const born = age
    const speaks = () => born === age
    passed.push({ method, url })
    const upstream = https.request(new URL(url, cluster.url), { method, headers: request.headers, agent }, (answer) => {
      if (!speaks()) return
      if (answer.statusCode === 410) gone++
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      if (url.includes('watch=1')) watches.add(response)
      answer.on('data', (part: Buffer) => {
        if (url.includes('watch=1') && part.includes('"code":410')) gone++
        if (speaks()) response.write(part)
      })
      answer.on('end', () => speaks() && response.end())
      answer.on('error', () => speaks() && response.destroy())
    })
    upstream.on('error', () => speaks() && response.destroy())
    response.on('close', () => {
      watches.delete(response)
      upstream.destroy()
    })
    request.pipe(upstream)
  }
  const server = http.createServer((request, response) => {
    if (faults.down) return void request.socket.destroy()
    if (faults.mute) return
    const refusal = faults.refuse?.(request.method ?? '', request.url ?? '')
    if (refusal) {
      response.writeHead(refusal.status, { 'content-type': 'application/json', ...refusal.headers })
      return void response.end(JSON.stringify(refusal.body ?? { message: `the proxy says ${refusal.status}` }))
    }
    if (faults.latencyMs) setTimeout(() => forward(request, response), faults.latencyMs)
    else forward(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passed,
    get gone() {
      return gone
    },
    set(next) {
      faults = next
      if (next.down) server.closeAllConnections()
      if (next.mute) age++
    },
    cutWatches() {
      for (const response of watches) response.destroy()
    },
    async close() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
