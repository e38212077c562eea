import { BUNDLE_STAGES, CHANNEL, FLAG, LIVENESS, unseen } from './facts.ts'
import { type FactsOf, refusals, type Table } from './table.ts'

const domain = {
  paused: FLAG,
  deletion: ['none', 'held', 'archivesPresent', 'archivesLeaving', 'hubInUse', 'severing', 'orphaned'],
  accepted: [
    'yes',
    'MeshUnknown',
    'MeshNotAccepted',
    'CannotIsolate',
    'AddressTaken',
    'AddressQuarantined',
    'OutsideMesh',
    'Exhausted',
    'AddressReserved',
  ],
  enrolled: ['yes', 'NoIdentity', 'KeyEnrolledElsewhere', 'IdentityDiffers', 'RegistryBehind', 'KeySevered'],
  /** A hub and an authority's node with address and keys are there, so that a bundle can be made. */
  hub: FLAG,
  channel: CHANNEL,
  liveness: LIVENESS,
  bundle: BUNDLE_STAGES,
  /** Telemetry's applied digest equals the wanted content's. */
  applied: FLAG,
  /** What is declared. */
  isolated: FLAG,
  /** Telemetry shows mark and effect of what is declared. */
  isolationShown: FLAG,
  /** A person took it off the mesh; `cutting` until the hubs' telemetry shows the peer gone. */
  severed: ['no', 'cutting', 'severed', 'left'],
} as const
export type NodeFacts = FactsOf<typeof domain>

export const nodeTable: Table<typeof domain> = {
  domain,
  rows: [
    {
      when: { paused: true },
      verdict: 'Unknown',
      reason: 'Paused',
      message: 'left alone: annotation ppn.dev/paused is set',
    },
    {
      when: { deletion: 'held' },
      verdict: 'Stalled',
      reason: 'DeletionHeld',
      message: 'deletion is held: {hold}; to go on: ppn confirm node/{node}',
    },
    {
      when: { deletion: 'archivesPresent' },
      verdict: 'Stalled',
      reason: 'ArchivesPresent',
      message: 'not deleted while it has {archives}',
    },
    {
      when: { deletion: 'archivesLeaving' },
      verdict: 'Reconciling',
      reason: 'ArchivesPresent',
      message: 'deletion waits until these are gone: {archives}',
    },
    {
      when: { deletion: 'hubInUse' },
      verdict: 'Stalled',
      reason: 'HubInUse',
      message: 'the hub and an authority’s node go last; still on the mesh: {others}',
    },
    {
      when: { deletion: 'severing' },
      verdict: 'Reconciling',
      reason: 'Severing',
      message: 'waits until the telemetry of {hubs} shows the peer gone',
    },
    {
      when: { deletion: 'orphaned' },
      verdict: 'Reconciling',
      reason: 'Orphaned',
      message: 'forgotten without touching the machine',
    },
    {
      when: { severed: 'cutting' },
      verdict: 'Reconciling',
      reason: 'Severing',
      message: 'waits until the telemetry of {hubs} shows the peer gone',
    },
    {
      when: { severed: 'severed' },
      verdict: 'Stalled',
      reason: 'Severed',
      message:
        'severed for good at {severedAt}: its keys are refused under every name. Take its file out of the folder, or let another machine have the name: ppn pair --node {node}',
    },
    {
      when: { severed: 'left' },
      verdict: 'Stalled',
      reason: 'Left',
      message:
        'it left the mesh at {severedAt}. Take its file out of the folder, or let it join again: ppn pair --node {node}',
    },
    ...refusals<typeof domain, 'accepted'>('accepted', {
      MeshUnknown: 'there is no Mesh {mesh}',
      MeshNotAccepted: 'Mesh {mesh} is not accepted: {detail}',
      CannotIsolate: 'an authority’s node cannot be isolated',
      AddressTaken: '{detail}',
      AddressQuarantined: '{detail}',
      OutsideMesh: '{detail}',
      Exhausted: '{detail}',
      AddressReserved: '{detail}',
    }),
    ...refusals<typeof domain, 'enrolled'>('enrolled', {
      NoIdentity: 'no keys are known: set spec.identity, or pair the node',
      KeyEnrolledElsewhere: '{detail}',
      IdentityDiffers: '{detail}',
      RegistryBehind: '{detail}',
      KeySevered: '{detail}',
    }),
    {
      when: { hub: false },
      verdict: 'Stalled',
      reason: 'NoHub',
      message: 'no hub or authority’s node with an address and keys is on the mesh, so no bundle can be made',
    },
    ...unseen(),
    {
      when: { bundle: 'Held' },
      verdict: 'Stalled',
      reason: 'Reverted',
      message:
        'the node went back to its previous bundle, because it did not reach the hub or the authority with the new one; change what is wrong, or try the same again: ppn confirm node/{node}',
    },
    {
      when: { bundle: 'Reverted' },
      verdict: 'Reconciling',
      reason: 'Reverted',
      message: 'the node went back to its previous bundle; the new one is tried again',
    },
    {
      when: { bundle: 'Refused' },
      verdict: 'Stalled',
      reason: 'BundleRefused',
      message: 'the node refuses its bundle: {bundleReason}',
    },
    {
      when: { applied: true, isolationShown: true, isolated: true },
      verdict: 'Ready',
      reason: 'Isolated',
      message: 'isolated as declared',
    },
    {
      when: { applied: true, isolationShown: true, isolated: false },
      verdict: 'Ready',
      reason: 'Converged',
      message: 'the node runs what is declared',
    },
    {
      when: { channel: 'Braked' },
      verdict: 'Stalled',
      reason: 'Braked',
      message: 'the brake is set: nothing is sent',
    },
    {
      when: { applied: false, bundle: 'Staged' },
      verdict: 'Reconciling',
      reason: 'BundleStaged',
      message: 'revision {revision} is on the node and not in force yet',
    },
    {
      when: { applied: false },
      verdict: 'Reconciling',
      reason: 'BundlePending',
      message: '{bundle} is on its way',
    },
    {
      when: { isolated: true },
      verdict: 'Reconciling',
      reason: 'Isolating',
      message: 'ISOLATE is on its way',
    },
    { when: {}, verdict: 'Reconciling', reason: 'Releasing', message: 'the release from isolation is on its way' },
  ],
}
