// What a node's state folder says while no agent runs. Reads only.
import type { Files } from '../../base/files.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { openBundle } from '../bundles/store.ts'
import { loadPins } from '../keys/pins.ts'

/** Of the applied bundle; undefined before the first one, or when it cannot be read or verified. */
export async function appliedContent(files: Files): Promise<BundleContent | undefined> {
  const [pins, raw] = [await loadPins(files), await files.read('applied')]
  if (!pins || !raw) return undefined
  const opened = openBundle(raw, pins.trusted)
  return opened.ok ? opened.bundle.content : undefined
}

export async function isHub(files: Files): Promise<boolean> {
  return (await appliedContent(files))?.node.role === 'hub'
}
