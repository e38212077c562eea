// The WireGuard interface of a node. Real: `wg` and `ip`; simulated: simulated.ts. Names follow wg(8).

export interface WireGuardPeer {
  /** base64 */
  publicKey: string
  /** host:port */
  endpoint?: string
  allowedIPs: string[]
  persistentKeepalive: number
}

export interface WireGuardConfig {
  name: string
  /** base64; never logged, never in an argument list. */
  privateKey: string
  /** CIDR of this node in the mesh, e.g. 10.8.0.2/24. */
  address: string
  listenPort: number
  mtu: number
  peers: WireGuardPeer[]
  /** A hub: traffic goes on from one peer to another. Absent: nothing is forwarded. */
  forward?: ForwardRule
}

/** Section 8: the hub forwards the command port only from the authorities; all else between peers passes. */
export interface ForwardRule {
  /** Mesh addresses that commands may come from. */
  authorities: string[]
  /** UDP. */
  commandPort: number
}

export interface WireGuardPeerState extends WireGuardPeer {
  /** Seconds since the latest handshake; undefined: never. */
  handshakeAgeSeconds: number | undefined
  rxBytes: number
  txBytes: number
}

export interface WireGuardState {
  name: string
  publicKey: string
  address: string
  listenPort: number
  mtu: number
  peers: WireGuardPeerState[]
}

export interface WireGuardDriver {
  /** What is there now; undefined when the interface does not exist. Changes nothing. */
  read(name: string): Promise<WireGuardState | undefined>
  /**
   * Brings the interface to `config` with the fewest changes; returns whether anything was changed. A second call
   * with the same config changes nothing. An endpoint that merely differs from an unchanged declaration has roamed:
   * it is never written over a handshake younger than 180 s. One declared anew is a decision: written at once, with a
   * new session, so that commit or revert judges the new way and not the old one.
   */
  apply(config: WireGuardConfig): Promise<{ changed: boolean }>
  /** Takes the interface away (leaving the mesh). */
  remove(name: string): Promise<void>
  /** A handshake came in or a peer went: liveness may have changed. Returns the unsubscriber. */
  onChange(listener: () => void): () => void
}
