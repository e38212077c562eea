// What is kept of an interface over restarts: where its peers were last heard, which declarations were carried out, and
// whether this node forwards. One small file an interface, mode 0600 by `Files`.
import { z } from 'zod'
import type { Files } from '../../../../base/files.ts'
import type { PeerMemory } from './endpoints.ts'

const shape = z.object({
  peers: z.record(z.string(), z.object({ declared: z.string().optional(), endpoint: z.string().optional() })),
  forwards: z.boolean(),
})

/** As many as a mesh may have nodes. */
const FORMER_KEPT = 254

export interface Memory {
  peer(publicKey: string): PeerMemory | undefined
  /** These are the peers now. Where former ones were heard is kept for a while: a peer that comes back is called. */
  peers(all: ReadonlyMap<string, PeerMemory>): void
  /** This peer, where it is known at all, is here now. */
  heard(publicKey: string, endpoint: string): void
  forwards(): boolean
  setForwards(on: boolean): void
  /** Was anything changed since the last save? */
  dirty(): boolean
  save(): Promise<void>
  forget(): Promise<void>
}

/** Unreadable memory is no memory: endpoints are learnt again. */
export async function openMemory(files: Files, name: string): Promise<Memory> {
  const file = `${name}.json`
  const empty = { peers: {}, forwards: false }
  let kept: z.output<typeof shape> = empty
  try {
    const raw = await files.read(file)
    if (raw) kept = shape.parse(JSON.parse(Buffer.from(raw).toString('utf8')))
  } catch {
    kept = empty
  }
  let saved = JSON.stringify(kept)
  return {
    peer: (publicKey) => kept.peers[publicKey] as PeerMemory | undefined,
    peers(all) {
      const former = Object.entries(kept.peers)
        .filter(([publicKey, { endpoint }]) => !all.has(publicKey) && endpoint !== undefined)
        .map(([publicKey, { endpoint }]): [string, PeerMemory] => [publicKey, { endpoint: endpoint as string }])
      kept = { ...kept, peers: Object.fromEntries([...all, ...former.slice(0, FORMER_KEPT)]) }
    },
    heard(publicKey, endpoint) {
      const before = kept.peers[publicKey]
      if (before) kept = { ...kept, peers: { ...kept.peers, [publicKey]: { ...before, endpoint } } }
    },
    forwards: () => kept.forwards,
    setForwards(on) {
      kept = { ...kept, forwards: on }
    },
    dirty: () => JSON.stringify(kept) !== saved,
    async save() {
      const text = JSON.stringify(kept)
      await files.write(file, Buffer.from(text))
      saved = text
    },
    async forget() {
      kept = empty
      saved = JSON.stringify(kept)
      await files.remove(file)
    },
  }
}
