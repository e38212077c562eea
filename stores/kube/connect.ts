// The real API server, over one keep-alive pool.
import http from 'node:http'
import https from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { PpnError } from '../../base/errors.ts'
import type { KubeAnswer, KubeApi, KubeRequest, WatchListener } from './api.ts'
import { type CredentialsOptions, findCredentials } from './credentials.ts'
import { type Exchange, exchanges } from './exchanges.ts'

/** Our own patience; the server gives up after 60 s. */
const ANSWER_WITHIN_MS = 30_000
/** Watches hold one socket each. */
const MOST_SOCKETS = 32
/** One object is at most 1.5 MiB (etcd's request limit); a page of 500 of ours stays far below this. */
const MOST_BYTES = 64 * 1024 * 1024
/** A line of a watch holds one object. */
const LONGEST_LINE = 8 * 1024 * 1024

export interface ConnectOptions extends CredentialsOptions {
  userAgent: string
}

export interface Connection extends KubeApi {
  readonly server: string
  close(): void
}

/** Throws KubeConfigUnusable and NoKubeConfig when no server is named. Nothing is sent yet. */
export async function connectKube(options: ConnectOptions): Promise<Connection> {
  const who = await findCredentials(options)
  const base = new URL(who.server)
  const plain = base.protocol === 'http:'
  let pool: http.Agent | undefined
  const open = exchanges(options.clock)

  const credentials = async (): Promise<https.RequestOptions> => {
    const of = await who.options()
    if (who.proxied) return of
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = of
    const tls = { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
    const shared = { keepAlive: true, maxSockets: MOST_SOCKETS }
    pool ??= plain ? new http.Agent(shared) : new https.Agent({ ...tls, ...shared })
    return { ...of, agent: pool }
  }
  const send = async (request: KubeRequest, signal: AbortSignal): Promise<http.IncomingMessage> => {
    const { headers, auth, agent } = await credentials()
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
    const url = new URL(base.pathname.replace(/\/$/, '') + request.path, base)
    signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const outgoing = (plain ? http : https).request(
        url,
        {
          ...{ method: request.method, auth, agent },
          headers: {
            ...(headers as http.OutgoingHttpHeaders),
            'user-agent': options.userAgent,
            accept: 'application/json',
            ...(payload && {
              'content-type': request.contentType ?? 'application/json',
              'content-length': payload.length,
            }),
          },
        },
        (response) => {
          answer = response
          // Cut off while a listener is at work, it fails with nobody waiting: the reader learns it from its end.
          response.on('error', () => {})
          resolve(response)
        },
      )
      let answer: http.IncomingMessage | undefined
      // Not by the option `signal`: that destroys the socket also when the answer has just ended and the socket is back
      // in the pool, where nobody listens for its error.
      const cut = () => (answer ?? outgoing).destroy(signal.reason as Error)
      signal.addEventListener('abort', cut, { once: true })
      outgoing.once('close', () => signal.removeEventListener('abort', cut))
      // Not once: a request that is cut off may fail twice.
      outgoing.on('error', reject)
      outgoing.end(payload)
    })
  }
  const answerOf = async (response: http.IncomingMessage, exchange: Exchange): Promise<KubeAnswer> => {
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      exchange.heard()
      bytes += part.length
      if (bytes > MOST_BYTES) throw new PpnError('KubeAnswerTooLong', { limit: MOST_BYTES })
      parts.push(part)
    }
    return { ...head(response), body: jsonOf(Buffer.concat(parts).toString('utf8')) }
  }

  return {
    server: who.server,
    close: () => pool?.destroy(),
    async request(request) {
      const { withinMs = ANSWER_WITHIN_MS } = request
      const sentMs = options.clock.monotonic()
      const late = new AbortController()
      const exchange = open.begin((why) => late.abort(why))
      const timer = options.clock.after(withinMs, () => {
        const why = new PpnError('KubeTimedOut', { server: who.server, ms: withinMs })
        late.abort(why)
        open.distrust(sentMs, withinMs, why)
      })
      try {
        const signal = request.signal ? AbortSignal.any([request.signal, late.signal]) : late.signal
        const answer = await answerOf(await send(request, signal), exchange)
        open.answered()
        return answer
      } catch (error) {
        throw late.signal.aborted ? late.signal.reason : error
      } finally {
        timer.cancel()
        exchange.end()
      }
    },
    async watch(path, on, signal) {
      const dead = new AbortController()
      const exchange = open.begin((why) => dead.abort(why))
      try {
        const response = await send({ method: 'GET', path }, AbortSignal.any([signal, dead.signal]))
        exchange.heard()
        if (response.statusCode !== 200) return await answerOf(response, exchange)
        on.open()
        await readLines(response, on, exchange)
        return { ...head(response), body: {} }
      } catch (error) {
        throw dead.signal.aborted ? dead.signal.reason : error
      } finally {
        exchange.end()
      }
    },
  }
}

function head(response: http.IncomingMessage): Pick<KubeAnswer, 'status' | 'retryAfterS'> {
  const seconds = Number(response.headers['retry-after'])
  const status = response.statusCode ?? 0
  return Number.isFinite(seconds) && seconds >= 0 ? { status, retryAfterS: seconds } : { status }
}

/** What is no JSON (a proxy's error page) stays text. */
function jsonOf(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>
  } catch {}
  return text === '' ? {} : { message: text.slice(0, 500) }
}

async function readLines(response: http.IncomingMessage, on: WatchListener, exchange: Exchange): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const part of response as AsyncIterable<Buffer>) {
    exchange.heard()
    const lines = (rest + decoder.write(part)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') on.event(JSON.parse(line))
    if (rest.length > LONGEST_LINE) throw new PpnError('KubeAnswerTooLong', { limit: LONGEST_LINE })
  }
}
