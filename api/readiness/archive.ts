import { BUNDLE_STAGES, bundleNotApplied, CHANNEL, FLAG, LIVENESS, unseen } from './facts.ts'
import { type FactsOf, refusals, type Table } from './table.ts'

const domain = {
  paused: FLAG,
  deletion: ['none', 'held', 'unreachable', 'stopping', 'removing', 'orphaned'],
  /** As admission answers; an admitted archive stays `yes` whatever is declared later (who holds keeps). */
  admitted: [
    'yes',
    'NodeNotFound',
    'NodeNotAccepted',
    'NodeDeleting',
    'NamespaceNotAllowed',
    'NodeUnknownCapacity',
    'MemoryFloor',
    'MemoryOvercommit',
    'SlotsExhausted',
    'RestoreUnheard',
    'DiskTaken',
    'DiskNotFound',
  ],
  /** A change of an admitted archive that is not followed; the earlier state stays. */
  change: ['none', 'ImageImmutable', 'RelocationNever', 'MoveRefused', 'MemoryFloor', 'MemoryOvercommit'],
  /** What its move to another node waits for. */
  move: ['none', 'Stopping', 'Releasing', 'SourceUnheard', 'Copying', 'NoSlot', 'RestoreUnheard', 'Returning'],
  channel: CHANNEL,
  liveness: LIVENESS,
  bundle: BUNDLE_STAGES,
  /** The node's applied bundle holds the definition of this generation. */
  defined: FLAG,
  /** The node's stable error code for it is set, or its lifecycle is Failed. */
  failed: FLAG,
  refusal: ['none', 'Stuck', 'DriverAbsent', 'Drifted', 'BackOff', 'Failed', 'NoCpuWeights'],
  /** What is declared. */
  runState: ['Running', 'Suspended', 'Archived'],
  /** Telemetry shows a done POWER mark with the declared value. */
  powerMarked: FLAG,
  /** Telemetry shows marks and effects of the declared weight and, under policy Manual, memory target. */
  tuned: FLAG,
  lifecycle: [
    'Absent',
    'Preparing',
    'Stopped',
    'Starting',
    'Running',
    'Suspended',
    'Stopping',
    'Crashed',
    'BackOff',
    'Failed',
    'Removed',
  ],
} as const
export type ArchiveFacts = FactsOf<typeof domain>

export const archiveTable: Table<typeof domain> = {
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
      message: 'deletion is held: {hold}; to go on: ppn confirm archive/{name} -n {namespace}',
    },
    {
      when: { deletion: 'unreachable' },
      verdict: 'Reconciling',
      reason: 'NodeUnreachable',
      message: 'deletion waits until node {node} is heard',
    },
    {
      when: { deletion: 'stopping' },
      verdict: 'Reconciling',
      reason: 'Stopping',
      message: 'deletion waits until the archive has stopped',
    },
    {
      when: { deletion: 'removing' },
      verdict: 'Reconciling',
      reason: 'Removing',
      message: 'waits until the telemetry of node {node} shows it removed',
    },
    {
      when: { deletion: 'orphaned' },
      verdict: 'Reconciling',
      reason: 'Orphaned',
      message: 'forgotten without touching the machine',
    },
    {
      when: { admitted: 'NodeUnknownCapacity' },
      verdict: 'Unknown',
      reason: 'NodeUnknownCapacity',
      message: 'waits until node {node} is heard for the first time and says how much memory it has',
    },
    {
      when: { admitted: 'RestoreUnheard' },
      verdict: 'Reconciling',
      reason: 'RestoreUnheard',
      message: '{detail}; it is placed once {node} is heard',
    },
    ...refusals<typeof domain, 'admitted'>('admitted', {
      NodeNotFound: 'there is no Node {node}',
      NodeNotAccepted: 'Node {node} is not accepted: {detail}',
      NodeDeleting: 'Node {node} is being deleted',
      NamespaceNotAllowed: 'Node {node} does not allow namespace {namespace}',
      MemoryFloor: '{detail}',
      MemoryOvercommit: '{detail}',
      SlotsExhausted: '{detail}',
      DiskTaken: '{detail}',
      DiskNotFound: '{detail}',
    }),
    ...refusals<typeof domain, 'change'>('change', {
      ImageImmutable: 'the image of an existing archive cannot change',
      RelocationNever: 'it stays on its node: spec.relocation is Never',
      MoveRefused: 'it stays on its node, for {to} cannot take it: {detail}',
      MemoryFloor: '{detail}',
      MemoryOvercommit: '{detail}',
    }),
    ...unseen(),
    ...bundleNotApplied('defined'),
    {
      when: { failed: true },
      verdict: 'Stalled',
      reason: 'Failed',
      message: '{detail}',
    },
    {
      when: { refusal: 'BackOff' },
      verdict: 'Reconciling',
      reason: 'BackOff',
      message: 'the node waits before it starts it again: {detail}',
    },
    ...refusals<typeof domain, 'refusal'>('refusal', {
      Stuck: 'its memory does not move: {detail}',
      DriverAbsent: 'no balloon driver answers in the guest: {detail}',
      Drifted: 'its memory drifted from the target: {detail}',
      Failed: '{detail}',
      NoCpuWeights: 'node {node} can give no CPU weight: {detail}',
    }),
    {
      when: { move: 'NoSlot' },
      verdict: 'Stalled',
      reason: 'SlotsExhausted',
      message: '{detail}',
    },
    {
      when: { move: 'RestoreUnheard' },
      verdict: 'Reconciling',
      reason: 'RestoreUnheard',
      message: 'it moves to node {to}: {detail}',
    },
    {
      when: { move: 'Stopping' },
      verdict: 'Reconciling',
      reason: 'MoveStopping',
      message: 'it moves to node {to}: stopping on {from}',
    },
    {
      when: { move: 'Releasing' },
      verdict: 'Reconciling',
      reason: 'MoveReleasing',
      message: 'it moves to node {to}: waits for the signed release of {from}',
    },
    {
      when: { move: 'SourceUnheard' },
      verdict: 'Reconciling',
      reason: 'MoveWaitsForSource',
      message: 'it moves to node {to}: the copy waits until {from} is heard; it is started nowhere else',
    },
    {
      when: { move: 'Copying' },
      verdict: 'Reconciling',
      reason: 'MoveCopying',
      message: 'it moves to node {to}: {from} pushes its disk there',
    },
    {
      when: { move: 'Returning' },
      verdict: 'Reconciling',
      reason: 'MoveReturning',
      message: 'its move to {to} was called off: {from} takes it back',
    },
    {
      when: { defined: true, powerMarked: true, tuned: true, runState: 'Running', lifecycle: 'Running' },
      verdict: 'Ready',
      reason: 'Running',
      message: 'running as declared',
    },
    {
      when: { defined: true, powerMarked: true, tuned: true, runState: 'Suspended', lifecycle: 'Suspended' },
      verdict: 'Ready',
      reason: 'Suspended',
      message: 'suspended as declared',
    },
    {
      when: {
        defined: true,
        powerMarked: true,
        tuned: true,
        runState: 'Archived',
        lifecycle: ['Stopped', 'Absent'],
      },
      verdict: 'Ready',
      reason: 'Archived',
      message: 'stopped as declared',
    },
    {
      when: { channel: 'Braked' },
      verdict: 'Stalled',
      reason: 'Braked',
      message: 'the brake is set: nothing is sent',
    },
    {
      when: { defined: false },
      verdict: 'Reconciling',
      reason: 'BundlePending',
      message: 'its definition is on the way to node {node}',
    },
    {
      when: { lifecycle: 'Preparing' },
      verdict: 'Reconciling',
      reason: 'Preparing',
      message: 'its disk is being made from the image',
    },
    {
      when: { lifecycle: 'Starting' },
      verdict: 'Reconciling',
      reason: 'Starting',
      message: 'starting',
    },
    {
      when: { lifecycle: 'Stopping' },
      verdict: 'Reconciling',
      reason: 'Stopping',
      message: 'stopping',
    },
    {
      when: { lifecycle: ['Crashed', 'BackOff'] },
      verdict: 'Reconciling',
      reason: 'Crashed',
      message: 'it crashed; starting it again is the node’s affair ({restarts} restarts)',
    },
    { when: {}, verdict: 'Reconciling', reason: 'Commanded', message: 'commands are on their way' },
  ],
}
