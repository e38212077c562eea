// manifests/observability/dashboard.json: a Grafana dashboard (schema 39, Grafana 11) from a table of its panels.
const FILE = 'manifests/observability/dashboard.json'
const SOURCE = { type: 'prometheus', uid: '$source' }
/** Of this control plane alone; everything is summed over replicas, of which the leader alone counts. */
const HERE = 'namespace=~"$namespace"'

interface Panel {
  title: string
  description: string
  type: 'timeseries' | 'stat'
  unit?: string
  /** Expression and legend. */
  queries: readonly (readonly [expr: string, legend: string])[]
}

interface Row {
  title: string
  panels: readonly Panel[]
}

const chart = (title: string, description: string, unit: string, ...queries: Panel['queries']): Panel => ({
  ...{ type: 'timeseries', title, description, unit, queries },
})
const stat = (title: string, description: string, ...queries: Panel['queries']): Panel => ({
  ...{ type: 'stat', title, description, queries },
})
const rate = (metric: string, by: string, labels = '') =>
  `sum by (${by}) (rate(${metric}{${HERE}${labels && `,${labels}`}}[$__rate_interval]))`
const sum = (metric: string, by: string, labels = '') => `sum by (${by}) (${metric}{${HERE}${labels && `,${labels}`}})`
const max = (metric: string) => `max(${metric}{${HERE}})`
const p99 = (histogram: string, by: string) => `histogram_quantile(0.99, ${rate(`${histogram}_bucket`, `le, ${by}`)})`

const ROWS: readonly Row[] = [
  {
    title: 'At a glance',
    panels: [
      stat('Leader', 'Replicas that lead: one', [
        `sum(leader_election_master_status{${HERE},name="ppn-authority"})`,
        '',
      ]),
      stat('Serving', 'It sends and listens from its mesh address', [max('ppn_serving'), '']),
      stat('Term', 'Rises with each reign', [max('ppn_term'), '']),
      stat('Brake', '1: nothing goes out', [max('ppn_brake_set'), '']),
      stat('Superseded', '1: nodes obey a newer authority', [max('ppn_superseded'), '']),
      stat('Deletions held', 'Wait for a person', [`sum(ppn_objects{${HERE},reason="DeletionHeld"})`, '']),
    ],
  },
  {
    title: 'Fleet',
    panels: [
      chart('Nodes by liveness', 'As telemetry has it', 'short', [sum('ppn_nodes', 'liveness'), '{{liveness}}']),
      chart('Not Ready', 'By kind and reason', 'short', [
        `${sum('ppn_objects', 'kind, reason', 'ready!="True"')} > 0`,
        '{{kind}} {{reason}}',
      ]),
      chart('Archives', 'By reason of Ready', 'short', [
        `${sum('ppn_objects', 'reason', 'kind="Archive"')} > 0`,
        '{{reason}}',
      ]),
    ],
  },
  {
    title: 'Downward',
    panels: [
      chart('Commands', 'Packets to the node addressed, repetitions included', 'pps', [
        rate('ppn_commands_sent_total', 'op'),
        '{{op}}',
      ]),
      chart('Copies', 'For the other nodes, by what became of them', 'pps', [
        rate('ppn_command_copies_total', 'result'),
        '{{result}}',
      ]),
      chart(
        'Waiting',
        'Commands without their effect, and copies queued',
        'short',
        [max('ppn_commands_pending'), 'commands pending'],
        [max('ppn_command_copies_queued'), 'copies queued'],
        [`sum(rate(ppn_command_send_failures_total{${HERE}}[$__rate_interval]))`, 'refused by the kernel, 1/s'],
      ),
      chart('Discarded by nodes', 'As they report it', 'cps', [
        `${rate('ppn_node_refusals_total', 'reason')} > 0`,
        '{{reason}}',
      ]),
    ],
  },
  {
    title: 'Upward',
    panels: [
      chart('Telemetry frames', 'With a valid tag', 'cps', [rate('ppn_telemetry_frames_total', 'use'), '{{use}}']),
      chart('Telemetry discarded', 'Connections and frames', 'cps', [
        `${rate('ppn_telemetry_discarded_total', 'reason')} > 0`,
        '{{reason}}',
      ]),
      chart('Telemetry connections', 'Open', 'short', [max('ppn_telemetry_connections'), 'open']),
      chart('Joining refused', 'Connections at the pairing port', 'cps', [
        `${rate('ppn_pairing_refused_total', 'reason')} > 0`,
        '{{reason}}',
      ]),
    ],
  },
  {
    title: 'Reconciling',
    panels: [
      chart('Reconciliations', 'By controller and result', 'ops', [
        rate('controller_runtime_reconcile_total', 'controller, result'),
        '{{controller}} {{result}}',
      ]),
      chart('Time of one, p99', 'By controller', 's', [
        p99('controller_runtime_reconcile_time_seconds', 'controller'),
        '{{controller}}',
      ]),
      chart('Time waiting, p99', 'By queue', 's', [p99('workqueue_queue_duration_seconds', 'name'), '{{name}}']),
      chart(
        'Queues',
        'Keys waiting, and tried again',
        'short',
        [sum('workqueue_depth', 'name'), '{{name}} waiting'],
        [rate('workqueue_retries_total', 'name'), '{{name}} retries, 1/s'],
      ),
    ],
  },
  {
    title: 'API server',
    panels: [
      chart('Requests', 'By method and code', 'reqps', [
        rate('rest_client_requests_total', 'method, code'),
        '{{method}} {{code}}',
      ]),
      chart('Writes', 'A converged fleet writes hardly but its Lease', 'wps', [
        rate('ppn_kube_writes_total', 'what'),
        '{{what}}',
      ]),
      chart('Age of what is known', 'Since the last word about a kind; -1 before the first', 's', [
        `max by (pod, kind) (ppn_kube_watch_age_seconds{${HERE}})`,
        '{{pod}} {{kind}}',
      ]),
      chart('Ready', 'By replica', 'short', [`max by (pod) (ppn_ready{${HERE}})`, '{{pod}}']),
    ],
  },
]

/** Grafana's grid has 24 columns. */
const COLUMNS = 24
const HEIGHT = { stat: 4, timeseries: 8 }

function panelJson({ type, title, description, unit, queries }: Panel, id: number, gridPos: object) {
  const custom = type === 'timeseries' ? { custom: { fillOpacity: 10, showPoints: 'never' } } : {}
  return {
    ...{ id, type, title, description, gridPos, datasource: SOURCE },
    fieldConfig: {
      defaults: { unit: unit ?? 'short', min: title.startsWith('Age') ? -1 : 0, ...custom },
      overrides: [],
    },
    options:
      type === 'stat'
        ? { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'none', graphMode: 'none' }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([expr, legendFormat], n) => ({
      ...{ refId: String.fromCharCode('A'.charCodeAt(0) + n), expr, legendFormat, datasource: SOURCE },
    })),
  }
}

export function generateDashboard(): Map<string, string> {
  const panels: object[] = []
  let y = 0
  for (const row of ROWS) {
    panels.push({
      ...{ id: panels.length + 1, type: 'row', title: row.title, collapsed: false, panels: [] },
      gridPos: { x: 0, y: y++, w: COLUMNS, h: 1 },
    })
    const w = COLUMNS / row.panels.length
    const h = Math.max(...row.panels.map(({ type }) => HEIGHT[type]))
    for (const [n, panel] of row.panels.entries())
      panels.push(panelJson(panel, panels.length + 1, { x: n * w, y, w, h }))
    y += h
  }
  const dashboard = {
    ...{ uid: 'ppn-authority', title: 'ppn', tags: ['ppn'], schemaVersion: 39, editable: true, refresh: '30s' },
    ...{ time: { from: 'now-6h', to: 'now' }, timezone: 'browser', graphTooltip: 1 },
    templating: {
      list: [
        { name: 'source', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        {
          ...{ name: 'namespace', type: 'query', datasource: SOURCE, refresh: 2, includeAll: true, allValue: '.*' },
          query: 'label_values(leader_election_master_status{name="ppn-authority"}, namespace)',
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    annotations: { list: [] },
    panels,
  }
  return new Map([[FILE, `${JSON.stringify(dashboard, null, 2)}\n`]])
}
