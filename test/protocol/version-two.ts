// A version that nobody uses: what a program one version newer would read and write. Tests of living together with it.
import type { BundleContent, BundleDocument } from '../../protocol/bundle/document.ts'
import { BUNDLE_VERSIONS, type BundleCodec } from '../../protocol/bundle/versions.ts'
import { type FrameCodec, TELEMETRY_VERSIONS, type TelemetryFrame } from '../../protocol/telemetry/frame.ts'
import { WIRE_VERSIONS, type WireVersions } from '../../protocol/versions.ts'

const version1 = BUNDLE_VERSIONS.get(1) as BundleCodec
const frame1 = TELEMETRY_VERSIONS.get(1) as FrameCodec

const content2 = ({ interface: link, ...content }: BundleContent) => ({ ...content, link, colour: 'red' })

/** Says `link` for the interface and requires a colour, which version 1 does not know. */
export const bundleVersion2: BundleCodec = {
  write(document) {
    const { content, ...rest } = version1.write(document) as BundleDocument
    return { ...rest, version: 2, content: content2(content) }
  },
  content: content2,
  read(json) {
    const { content: written, ...document } = json as { content: Record<string, unknown> }
    const { link, colour, ...content } = written
    if (colour === undefined) throw new Error('no colour')
    return version1.read({ ...document, version: 1, content: { ...content, interface: link } })
  },
}

/** Says `seq` for the header's sequence. */
export const frameVersion2: FrameCodec = {
  write(frame) {
    const { sequence: seq, ...header } = frame.header
    return { ...frame, header: { ...header, seq } }
  },
  read(json) {
    const { header: written, ...frame } = json as { header: { seq: number } } & Record<string, unknown>
    const { seq, ...rest } = written
    return frame1.read({ ...frame, header: { ...rest, sequence: seq } }) as Omit<TelemetryFrame, 'term'>
  },
}

/** The program one version newer: it knows the present version as well. */
export const NEWER: WireVersions = {
  bundle: new Map([...WIRE_VERSIONS.bundle, [2, bundleVersion2]]),
  telemetry: new Map([...WIRE_VERSIONS.telemetry, [2, frameVersion2]]),
  ops: [...WIRE_VERSIONS.ops],
}
