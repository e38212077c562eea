// For each alert of manifests/observability/rules.yaml: what makes it fire, written over the scrape of a healthy leader.
// That scrape as it stands is the silent case of them all.

/** Series to values in promtool's notation (`1x60`: 61 times 1; `0+2x60`: rising); `gone`: not scraped at all. */
export type Change = Readonly<Record<string, string>>

/** Longer than any `for`. One sample a minute. */
export const MINUTES = 80
const steady = (value: number) => `${value}x${MINUTES}`
const rising = (each: number) => `0+${each}x${MINUTES}`
const objects = (kind: string, ready: string, reason: string) =>
  `ppn_objects{kind="${kind}",ready="${ready}",reason="${reason}"}`
const LEADER = 'leader_election_master_status{name="ppn-authority"}'

export const FIRING: Readonly<Record<string, Change>> = {
  PpnAbsent: { [LEADER]: 'gone' },
  PpnNoLeader: { [LEADER]: steady(0) },
  PpnTwoLeaders: { [`${LEADER}@ppn-authority-b`]: steady(1) },
  PpnReplicaNotReady: { ppn_ready: steady(0) },
  PpnNotServing: { ppn_serving: steady(0) },
  PpnSuperseded: { ppn_superseded: steady(1) },
  PpnBrakeSet: { ppn_brake_set: steady(1) },
  PpnSourceUnreadable: { ppn_store_unreadable: steady(1) },
  PpnSourceFaults: { 'ppn_store_problems{severity="error"}': steady(1) },
  PpnWatchStale: { 'ppn_kube_watch_age_seconds{kind="Node"}': `0+60x${MINUTES}` },
  PpnApiErrors: { 'rest_client_requests_total{code="503",method="GET",host="192.0.2.1"}': rising(60) },
  PpnReconcileErrors: { 'controller_runtime_reconcile_errors_total{controller="node"}': rising(2) },
  PpnReconcilePanics: { 'controller_runtime_reconcile_panics_total{controller="archive"}': rising(1) },
  PpnQueueLong: { 'workqueue_depth{name="archive"}': steady(900) },
  PpnRegistryBehind: { ppn_registry_behind: steady(1) },
  PpnTelemetryLost: { 'ppn_nodes{liveness="Fresh"}': steady(0), 'ppn_nodes{liveness="Unheard"}': steady(3) },
  PpnNodeSilent: { 'ppn_nodes{liveness="Stale"}': steady(1) },
  PpnNodeNotReady: { [objects('Node', 'Unknown', 'Silent')]: steady(1) },
  PpnArchiveNotReady: { [objects('Archive', 'False', 'MemoryFloor')]: steady(1) },
  PpnArchiveStuck: { [objects('Archive', 'False', 'Stuck')]: steady(1) },
  PpnArchiveCrashing: { [objects('Archive', 'False', 'BackOff')]: steady(2) },
  PpnPoolOvercommitted: { [objects('ResourcePool', 'False', 'Overcommitted')]: steady(1) },
  PpnDeletionHeld: { [objects('Node', 'False', 'DeletionHeld')]: steady(3) },
  PpnBundleRefused: { [objects('Node', 'False', 'BundleRefused')]: steady(1) },
  PpnCommandsPending: { ppn_commands_pending: steady(1) },
  PpnCommandsNotSent: { ppn_command_send_failures_total: rising(10) },
  PpnNodeClockOff: { 'ppn_node_refusals_total{reason="ClockOff"}': rising(1) },
  PpnForgedCommands: { 'ppn_node_refusals_total{reason="BadTag"}': rising(1) },
  PpnForgedTelemetry: { 'ppn_telemetry_discarded_total{reason="ForgedRelease"}': rising(1) },
  PpnCodesTried: { 'ppn_pairing_refused_total{reason="NotConfirmed"}': rising(1) },
}

/** What looks much the same and is no reason to be woken. */
export const SILENT: Readonly<Record<string, Change>> = {
  PpnTwoLeaders: { [`${LEADER}@ppn-authority-b`]: steady(0) },
  PpnNodeNotReady: { [objects('Node', 'Unknown', 'Paused')]: steady(1) },
  PpnArchiveNotReady: { [objects('Archive', 'Unknown', 'Paused')]: steady(1) },
  PpnTelemetryLost: { 'ppn_nodes{liveness="Fresh"}': steady(0) },
  PpnForgedCommands: { 'ppn_node_refusals_total{reason="Duplicate"}': rising(100) },
  PpnForgedTelemetry: { 'ppn_telemetry_discarded_total{reason="BootIdUnproven"}': rising(1) },
  PpnCodesTried: { 'ppn_pairing_refused_total{reason="HungUp"}': rising(5) },
  PpnApiErrors: { 'rest_client_requests_total{code="410",method="GET",host="192.0.2.1"}': rising(60) },
  PpnWatchStale: { 'ppn_kube_watch_age_seconds{kind="Node"}': `0 30 60 0 30 60 0 30 60 0+1x${MINUTES}` },
}
