// Where an image comes from: a file of this node or an allowed host.
import type { Clock } from '../../../base/clock.ts'
import { openImageFile } from './file-source.ts'
import { openHttps } from './https-source.ts'
import { ImageFailure } from './port.ts'

/** An image that is being read. */
export interface OpenImage {
  /** Read once. Throws ImageFailure when the source fails in between. */
  bytes: AsyncIterable<Uint8Array>
  /** Undefined where the source does not say. */
  sizeBytes?: number
  /** Less than its size where it has holes. */
  roomBytes?: number
  close(): Promise<void>
}

export interface SourceOptions {
  /** Absolute paths: images are files in or below these. */
  allowedFolders: readonly string[]
  /** `host` (port 443) or `host:port`, as a URL has it. */
  allowedHosts: readonly string[]
  /** Certificates, PEM, trusted beside those that come with Node. */
  ca?: readonly string[]
  clock: Clock
}

/** Throws ImageFailure: SourceNotAllowed, ImageNotFound or ImageUnreachable; the abort's reason when called off. */
export function openSource(source: string, options: SourceOptions, signal: AbortSignal): Promise<OpenImage> {
  if (source.startsWith('https:')) return openHttps(source, options, signal)
  if (source.startsWith('file:') || !/^[a-z][a-z0-9+.-]*:/i.test(source)) return openImageFile(source, options)
  throw new ImageFailure('SourceNotAllowed', `${source} is neither a file nor https`)
}
