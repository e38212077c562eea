// What the admin socket offers. authority/main implements it; the server and the client only carry it.
import type { Kind, ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { BundleState } from '../../controllers/ports/bundles.ts'
import type { PendingCommand } from '../../controllers/ports/commands.ts'
import type { NodeView } from '../../controllers/ports/fleet.ts'
import type { StoreHealth } from '../../controllers/ports/store.ts'
import type { FleetCard } from '../keys/fleet-card.ts'
import type { RotationState } from '../keys/rotation.ts'

export interface AdminVersion {
  version: string
  pid: number
  meshId: string
  authorityId: string
  fleet: string
  state: string
}

export interface AdminHealth {
  term: number
  revision: number
  superseded: boolean
  brake: { set: boolean; reason?: string }
  /** Bound to its mesh address, listening and sending. */
  serving: boolean
  servingReason?: string
  store: StoreHealth
  /** Nothing is queued, running or being retried. */
  idle: boolean
}

/** One recorded run of a reconcile; see controllers/runtime/history.ts. */
export interface AdminRun {
  controller: string
  startedMs: number
  queuedMs: number
  tookMs: number
  reasons: readonly string[]
  result: string
  detail?: string
  planned: unknown[]
  did: unknown[]
  messages: string[]
}

export interface AdminExplanation {
  key: ObjectKey
  object: AnyObject
  runs: AdminRun[]
  /** Of the node concerned: what is under way. */
  node?: string
  pending: PendingCommand[]
  bundle?: BundleState
  view?: NodeView
}

export interface AdminEvent {
  type: string
  reason: string
  message: string
  key: ObjectKey
  count: number
  firstMs: number
  lastMs: number
}

export interface AdminHold {
  key: ObjectKey
  reason: string
  message: string
  sinceMs: number
}

export interface AdminWatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: AnyObject
}

export interface AdminBundle {
  armored: string
  /** Of the authority's signing key: what the first import demands. */
  fingerprint: string
}

export interface AdminKeys {
  authorityId: string
  signingFingerprint: string
  signingPublicKey: string
  commandPublicKey: string
  operatorFingerprint: string
  operatorPublicKey: string
  operatorSecretPath: string
  /** The operator's secret key still lies on this machine. */
  operatorSecretHere: boolean
}

/** A Pairing as `ppn pair` follows it. */
export interface AdminCeremony {
  phase: string
  reason: string
  message: string
  /** Who is on the line. */
  machine?: { hostname: string; from: string; agentVersion: string; wireguardPublicKey: string }
  /** Ours; only once the operator has typed the same: before, they could be copied instead of compared. */
  digits?: string
}

export interface AdminBackend {
  version(): AdminVersion
  health(): AdminHealth
  objects(filter: { kind?: Kind; namespace?: string; name?: string }): AnyObject[]
  /** The objects there are as ADDED, then changes, until `signal` aborts. */
  watch(filter: { kind?: Kind }, signal: AbortSignal): AsyncIterable<AdminWatchEvent>
  explain(key: ObjectKey): AdminExplanation | undefined
  events(filter: { key?: ObjectKey }): AdminEvent[]
  holds(): AdminHold[]
  /** Lets held deletions go on. Returns the keys confirmed. */
  confirm(key: ObjectKey | 'all'): Promise<ObjectKey[]>
  /** Tries a reverted bundle again. */
  retry(node: string): Promise<void>
  create(kind: Kind, name: string, spec: unknown): Promise<AnyObject>
  /** Replaces the spec of an object of `create`. */
  amend(key: ObjectKey, spec: unknown): Promise<AnyObject>
  ceremony(name: string): AdminCeremony
  remove(key: ObjectKey): Promise<void>
  enrol(node: string, identity: NodeIdentity): Promise<void>
  bundle(node: string): Promise<AdminBundle>
  keys(): AdminKeys
  brake(set: boolean, reason: string): Promise<void>
  /** For good: its keys are refused under every name. */
  sever(node: string, throughBrake: boolean): Promise<void>
  /** In good order. */
  leave(node: string): Promise<void>
  fleetCard(): FleetCard
  /** Command and WireGuard key of these nodes, or of all; goes on without whoever asked. */
  rotateKeys(nodes: readonly string[] | 'all'): Promise<void>
  rotation(): RotationState[]
  backup(path: string, passphrase: string): Promise<{ path: string; bytes: number }>
}
