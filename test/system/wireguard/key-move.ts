// A spoke goes over to another WireGuard key, as the agents of hub and spoke do it at an APPLY.
import { tunnelConfig } from '../../../agent/tunnel/config.ts'
import { formerKeys, withKeyChanges } from '../../../agent/tunnel/key-change.ts'
import type { Machine } from './machine.ts'
import { type RealMesh, stateOf, withKey } from './mesh.ts'

/** Which key of the spoke is in force at the hub, which one is staged, and which one it had before. */
export interface SpokeKeys {
  key: string
  staged?: string
  former?: string
}

/** Brings the hub's interface to what its agent wants of it `afterMs` after the switch. */
export async function hubFollows(mesh: RealMesh, spoke: Machine, keys: SpokeKeys, afterMs: number): Promise<unknown> {
  const [hub] = mesh.machines as [Machine, ...Machine[]]
  const content = (publicKey: string) => withKey(mesh.content('hub'), spoke.publicKey, publicKey)
  const { key, staged, former } = keys
  const before = former === undefined ? undefined : content(former)
  const known = formerKeys(new Map(), before, content(key), new Map(), 0)
  const config = tunnelConfig({ content: content(key), privateKey: hub.privateKey, isolated: false })
  const ages = new Map((await stateOf(hub)).peers.map((p) => [p.publicKey, p.handshakeAgeSeconds]))
  const change = { ...(staged && { staged: content(staged) }), former: known, ages, nowMs: afterMs }
  return hub.driver.apply(withKeyChanges(config, content(key), change))
}
