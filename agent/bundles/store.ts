// The files `applied`, `staged` and `prev`: sealed bytes as they came, verified again whenever they are read
// (law 11). A file that does not verify is set aside, never silently replaced.
import type { Files } from '../../base/files.ts'
import type { BundleAuthority, BundleContent, SignedBundle } from '../../protocol/bundle/document.ts'
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

/** Its content as it is since the operator key put another authority in place. */
export function underAuthority(bundle: StoredBundle, authority: BundleAuthority): StoredBundle {
  return { ...bundle, content: { ...bundle.content, authorities: [authority] } }
}

/** `before`: what authorities that were replaced have signed still says how this node lives, under the new one. */
export async function loadBundles(
  files: Files,
  trusted: Pins['trusted'],
  versions?: BundleVersions,
  before?: Pick<Pins, 'stored' | 'replacement'>,
): Promise<LoadedBundles> {
  const openOld = (raw: Uint8Array): StoredBundle | undefined => {
    if (!before?.stored || !before.replacement) return undefined
    const opened = openBundle(raw, before.stored, versions)
    return opened.ok ? underAuthority(opened.bundle, before.replacement.authority) : undefined
  }
  const load = async (name: BundleFile): Promise<StoredBundle | undefined> => {
    const raw = await files.read(name)
    if (!raw) return undefined
    const opened = openBundle(raw, trusted, versions)
    if (opened.ok) return opened.bundle
    const old = openOld(raw)
    if (old) return old
    await setAside(files, name, raw)
    return undefined
  }
  const applied = await load('applied')
  const staged = await load('staged')
  const prev = await load('prev')
  const lost = !applied && (prev !== undefined || (await wasSetAside(files, 'applied')))
  return { ...(applied && { applied }), ...(staged && { staged }), ...(prev && { prev }), lost }
}
