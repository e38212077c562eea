import { chmod, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { ZodError } from 'zod'
import { PpnError } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { AdminBackend } from './backend.ts'
import { ROUTES, WATCH_PATH, watchQuery } from './routes.ts'
import { POINTER, socketPath } from './socket-path.ts'

export interface AdminServer {
  path: string
  close(): Promise<void>
}

/** A request is a handful of words; a spec of an act is the largest. */
const BODY_LIMIT = 256 * 1024
/** People, scripts and their watches; beyond that somebody wants our file descriptors. */
const MOST_CONNECTIONS = 256

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BODY_LIMIT) throw new PpnError('FrameTooLong', { length: size, limit: BODY_LIMIT })
    chunks.push(chunk)
  }
  return size === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

/** Throws SyntaxError for a request line that names no path. */
function requestUrl({ url = '/' }: IncomingMessage): URL {
  if (!URL.canParse(url, 'http://admin')) throw new SyntaxError(`${JSON.stringify(url)} is no path`)
  return new URL(url, 'http://admin')
}

/** The error as the client rebuilds it: stable code, message, hint. */
function failure(error: unknown): { status: number; body: object } {
  if (error instanceof PpnError)
    return { status: 422, body: { code: error.code, message: error.message, hint: error.hint, details: error.details } }
  if (error instanceof ZodError || error instanceof SyntaxError)
    return {
      status: 400,
      body: { code: 'BadRequest', message: error.message, hint: 'client and authority differ in version' },
    }
  return {
    status: 500,
    body: {
      code: 'Internal',
      message: error instanceof Error ? error.message : String(error),
      hint: 'see the log of the authority',
    },
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body ?? null))
}

async function watch(backend: AdminBackend, url: URL, response: ServerResponse, log: Logger): Promise<void> {
  const filter = watchQuery.parse(Object.fromEntries(url.searchParams))
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  try {
    for await (const event of backend.watch(filter, gone.signal)) {
      // A reader that does not read must not make us hold everything it has not read.
      if (!response.write(`${JSON.stringify(event)}\n`)) await drained(response, gone.signal)
    }
  } catch (error) {
    if (!gone.signal.aborted) log.warn({ error: String(error) }, 'watch ended')
  }
  response.end()
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    response.once('drain', resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * Serves `backend` on a unix socket of mode 0600 in (or named by) the state folder; at `shared`, when given, with mode
 * 0660: who may enter that socket's folder is for whoever made it. The caller holds the lock of the
 * state folder: a socket file that lies there is a dead one.
 */
export async function serveAdmin(
  stateFolder: string,
  backend: AdminBackend,
  log: Logger,
  shared?: string,
): Promise<AdminServer> {
  const path = shared ?? socketPath(stateFolder)
  const server = createServer(async (request, response) => {
    try {
      const url = requestUrl(request)
      if (request.method === 'GET' && url.pathname === WATCH_PATH) return await watch(backend, url, response, log)
      const route = ROUTES.find((r) => r.method === request.method && r.path === url.pathname)
      if (!route)
        return send(response, 404, {
          code: 'BadRequest',
          message: `no ${request.method} ${url.pathname}`,
          hint: 'client and authority differ in version',
        })
      const input = request.method === 'GET' ? Object.fromEntries(url.searchParams) : await readBody(request)
      send(response, 200, await route.answer(backend, input))
    } catch (error) {
      const { status, body } = failure(error)
      if (status === 500)
        log.error({ error: error instanceof Error ? error.stack : String(error) }, 'admin request failed')
      if (!response.headersSent) send(response, status, body)
      else response.end()
    }
  })
  server.maxConnections = MOST_CONNECTIONS
  await rm(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The mask closes the moment between bind and chmod.
    const before = process.umask(0o177)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
    process.umask(before)
  })
  await chmod(path, shared === undefined ? 0o600 : 0o660)
  await writeFile(join(stateFolder, POINTER), `${path}\n`, { mode: 0o600 })
  return {
    path,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await rm(path, { force: true })
      await rm(join(stateFolder, POINTER), { force: true })
    },
  }
}
