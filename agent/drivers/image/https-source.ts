import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { rootCertificates } from 'node:tls'
import type { Clock } from '../../../base/clock.ts'
import { ImageFailure } from './port.ts'
import type { OpenImage, SourceOptions } from './source.ts'

const MOST_REDIRECTS = 5
/** A host that says nothing for so long is given up; the archive's worker comes back later. */
const SILENCE_MS = 30_000

/**
 * An image from an allowed host over verified TLS. Redirects are followed to allowed hosts and https only. Not
 * resumed: what was cut begins anew.
 */
export async function openHttps(source: string, options: SourceOptions, signal: AbortSignal): Promise<OpenImage> {
  let url = allowed(source, options)
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await get(url, options, signal)
    const { statusCode = 0, headers } = response
    if (statusCode === 200) return opened(response, options.clock, signal)
    response.destroy()
    if (statusCode === 404 || statusCode === 410) throw new ImageFailure('ImageNotFound', `${url.href} is not there`)
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined)
      throw new ImageFailure('ImageUnreachable', `${url.host} answered ${statusCode}`)
    url = allowed(new URL(headers.location, url).href, options)
  }
  throw new ImageFailure('ImageUnreachable', `${source} redirects more than ${MOST_REDIRECTS} times`)
}

function allowed(source: string, { allowedHosts }: SourceOptions): URL {
  const url = URL.canParse(source) ? new URL(source) : undefined
  if (url?.protocol !== 'https:') throw new ImageFailure('SourceNotAllowed', `${source} is not https`)
  // An object is read by many: no place for a password.
  if (url.username !== '' || url.password !== '')
    throw new ImageFailure('SourceNotAllowed', 'a URL with credentials in it is not allowed')
  const withPort = `${url.hostname}:${url.port || '443'}`
  if (!allowedHosts.some((host) => host.toLowerCase() === url.host || host.toLowerCase() === withPort))
    throw new ImageFailure('SourceNotAllowed', `${url.host} is no allowed host`)
  return url
}

function get(url: URL, { ca, clock }: SourceOptions, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const ask = request(url, {
      signal,
      // A connection of its own: nothing is left open when the image is here.
      agent: false,
      headers: { 'accept-encoding': 'identity' },
      ...(ca && { ca: [...rootCertificates, ...ca] }),
    })
    const silent = clock.after(SILENCE_MS, () => ask.destroy(silence(url)))
    ask.once('error', (error) => {
      silent.cancel()
      reject(failure(error, signal))
    })
    ask.once('response', (response) => {
      silent.cancel()
      resolve(response)
    })
    ask.end()
  })
}

function opened(response: IncomingMessage, clock: Clock, signal: AbortSignal): OpenImage {
  const length = Number(response.headers['content-length'])
  return {
    bytes: content(response, clock, signal),
    ...(Number.isSafeInteger(length) && { sizeBytes: length, roomBytes: length }),
    close: async () => void response.destroy(),
  }
}

/** Silence counts only while we wait: a slow disk of ours is no fault of the host. */
async function* content(response: IncomingMessage, clock: Clock, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const parts = response[Symbol.asyncIterator]()
  try {
    for (;;) {
      const silent = clock.after(SILENCE_MS, () => response.destroy(silence(undefined)))
      const part = await parts.next().finally(() => silent.cancel())
      if (part.done) return
      yield part.value as Uint8Array
    }
  } catch (error) {
    throw failure(error as Error, signal)
  } finally {
    response.destroy()
  }
}

function silence(url: URL | undefined): ImageFailure {
  return new ImageFailure('ImageUnreachable', `${url?.host ?? 'the host'} sent nothing for ${SILENCE_MS / 1000} s`)
}

function failure(error: Error, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  return error instanceof ImageFailure ? error : new ImageFailure('ImageUnreachable', error.message)
}
