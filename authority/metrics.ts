// Every metric of the authority's own, in one table. All label values that are known beforehand start at zero, so
// that an alert works from the first scrape.
import { Counter, Gauge, type Registry } from 'prom-client'
import { CEREMONY_REFUSALS } from '../api/ceremony.ts'

interface MetricSpec {
  type: 'counter' | 'gauge'
  help: string
  /** The label's name and the values it starts with. */
  label?: { name: string; values: readonly string[] }
}

/** Why an agent discards what comes in (agent/receiver, agent/bundles). */
export const NODE_REFUSALS: readonly string[] = [
  'BadLength',
  'NotAuthority',
  'BadTarget',
  'TooManyBadTags',
  'BadTag',
  'UnknownOp',
  'BadSlot',
  'BadValue',
  'MarksLost',
  'ClockOff',
  'Stale',
  'Duplicate',
  'TermNotDurable',
  'MarkNotDurable',
  'SyncSource',
  'BundleTooLong',
  'BundleMalformed',
  'BundleUnsigned',
  'BundleVersion',
]

export const METRICS = {
  ppn_commands_sent_total: {
    type: 'counter',
    help: 'Command packets sent to the node they address, repetitions included',
    label: {
      name: 'op',
      values: ['PING', 'APPLY', 'ISOLATE', 'POWER', 'BALLOON', 'WEIGHT', 'REKEY', 'SEVER'],
    },
  },
  ppn_command_copies_total: {
    type: 'counter',
    help: 'Copies of commands for the other nodes, by what became of them',
    label: { name: 'result', values: ['Sent', 'DroppedQueueFull', 'DroppedBraked', 'Failed'] },
  },
  ppn_command_send_failures_total: { type: 'counter', help: 'Addressed packets the kernel refused' },
  ppn_command_copies_queued: { type: 'gauge', help: 'Copies waiting for their turn' },
  ppn_commands_pending: { type: 'gauge', help: 'Commands wanted and not yet withdrawn' },
  ppn_telemetry_connections: { type: 'gauge', help: 'Telemetry connections open' },
  ppn_telemetry_frames_total: {
    type: 'counter',
    help: 'Telemetry frames with a valid tag, by what they were good for',
    label: { name: 'use', values: ['Fresh', 'TermOnly'] },
  },
  ppn_telemetry_discarded_total: {
    type: 'counter',
    help: 'Telemetry connections and frames discarded, by reason',
    label: {
      name: 'reason',
      values: [
        'UnknownSource',
        'TooManyConnections',
        'FrameTooLong',
        'BadFrame',
        'UnknownVersion',
        'BadTag',
        'RateLimited',
        'BootIdReturned',
        'BootIdUnproven',
        'SequenceNotRising',
        'UptimeWentBack',
        'UptimeLags',
        'DeltaWithoutBase',
        'ForgedRelease',
        'OwnFault',
      ],
    },
  },
  ppn_node_refusals_total: {
    type: 'counter',
    help: 'What nodes discarded and reported, by reason',
    label: { name: 'reason', values: [...NODE_REFUSALS, 'Other'] },
  },
  ppn_nodes: {
    type: 'gauge',
    help: 'Nodes by liveness',
    label: { name: 'liveness', values: ['Unheard', 'Fresh', 'Stale', 'Braked', 'Superseded'] },
  },
  ppn_pairing_refused_total: {
    type: 'counter',
    help: 'Connections at the pairing port that ended without a machine joining, by reason',
    label: {
      name: 'reason',
      values: [
        'TooManyFromSource',
        'TooFast',
        'TooSlow',
        'Silent',
        'HungUp',
        'FrameTooLong',
        'Malformed',
        'OutOfOrder',
        'VersionUnknown',
        'BadShare',
        'NotConfirmed',
        'CommitmentBroken',
        'BadSeal',
        'Refused',
        'UnknownMessage',
        ...Object.keys(CEREMONY_REFUSALS),
      ],
    },
  },
  ppn_term: { type: 'gauge', help: 'Term of this authority' },
  ppn_superseded: { type: 'gauge', help: '1 when this authority has found that it is not the newest' },
  ppn_brake_set: { type: 'gauge', help: '1 while the brake is set or cannot be read' },
} as const satisfies Record<string, MetricSpec>

type MetricName = keyof typeof METRICS

/** What the parts of the authority count with; a label's value is given alone, its name is in the table. */
export interface Metrics {
  count(name: MetricName, label?: string, by?: number): void
  gauge(name: MetricName, value: number, label?: string): void
}

export const noMetrics: Metrics = { count() {}, gauge() {} }

/** Registers every metric of the table with prom-client, each at zero. */
export function promMetrics(registry: Registry): Metrics {
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  for (const [name, spec] of Object.entries(METRICS) as [string, MetricSpec][]) {
    const options = { name, help: spec.help, labelNames: spec.label ? [spec.label.name] : [], registers: [registry] }
    const labels = spec.label?.values.map((value) => ({ [spec.label?.name as string]: value })) ?? [{}]
    if (spec.type === 'counter') {
      const counter = new Counter(options)
      for (const label of labels) counter.inc(label, 0)
      counters.set(name, counter)
    } else {
      const gauge = new Gauge(options)
      for (const label of labels) gauge.set(label, 0)
      gauges.set(name, gauge)
    }
  }
  const labelled = (name: MetricName, value: string | undefined): Record<string, string> => {
    const spec: MetricSpec = METRICS[name]
    return spec.label && value !== undefined ? { [spec.label.name]: value } : {}
  }
  return {
    count: (name, label, by = 1) => counters.get(name)?.inc(labelled(name, label), by),
    gauge: (name, value, label) => gauges.get(name)?.set(labelled(name, label), value),
  }
}
