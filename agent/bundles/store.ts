// The files `applied`, `staged` and `prev`: sealed bytes as they came, verified again whenever they are read
// (law 11). A file that does not verify is set aside, never silently replaced.
import type { Files } from '../../base/files.ts'
import type { BundleContent, SignedBundle } from '../../protocol/bundle/document.ts'
import { type BundleFault, openSignedBundle } from '../../protocol/bundle/seal.ts'
import type { BundleVersions } from '../../protocol/bundle/versions.ts'
import type { HeldBundle } from '../../protocol/telemetry/report.ts'
import { setAside, wasSetAside } from '../durable/set-aside.ts'
import type { Pins } from '../keys/pins.ts'

export type BundleFile = 'applied' | 'staged' | 'prev'

export interface StoredBundle {
  raw: Uint8Array
  signed: SignedBundle
  content: BundleContent
  held: HeldBundle
}

export type OpenedBundle = { ok: true; bundle: StoredBundle } | { ok: false; reason: BundleFault }

/** Verifies sealed bytes against the keys this node trusts. */
export function openBundle(raw: Uint8Array, trusted: Pins['trusted'], versions?: BundleVersions): OpenedBundle {
  const opened = openSignedBundle(raw, trusted, versions)
  if (!opened.ok) return opened
  const { document, digest } = opened.bundle
  const held = { term: document.term, revision: document.revision, digest }
  return { ok: true, bundle: { raw, signed: opened.bundle, content: document.content, held } }
}

export interface LoadedBundles {
  applied?: StoredBundle
  staged?: StoredBundle
  prev?: StoredBundle
  /** The applied bundle is gone or unreadable although this node had one. */
  lost: boolean
}

export async function loadBundles(
  files: Files,
  trusted: Pins['trusted'],
  versions?: BundleVersions,
): Promise<LoadedBundles> {
  const load = async (name: BundleFile): Promise<StoredBundle | undefined> => {
    const raw = await files.read(name)
    if (!raw) return undefined
    const opened = openBundle(raw, trusted, versions)
    if (opened.ok) return opened.bundle
    await setAside(files, name, raw)
    return undefined
  }
  const applied = await load('applied')
  const staged = await load('staged')
  const prev = await load('prev')
  const lost = !applied && (prev !== undefined || (await wasSetAside(files, 'applied')))
  return { ...(applied && { applied }), ...(staged && { staged }), ...(prev && { prev }), lost }
}
