// The same rules for the Prometheus operator: one source, manifests/observability/rules.yaml.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const FOLDER = 'manifests/observability'
const HEAD = '# Made of rules.yaml by `npm run generate`. Do not edit.\n'

export function generatePrometheusRule(): Map<string, string> {
  const { groups } = parse(readFileSync(join(import.meta.dirname, '..', FOLDER, 'rules.yaml'), 'utf8')) as {
    groups: unknown
  }
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: {
      name: 'ppn-authority',
      namespace: 'ppn-system',
      labels: { 'app.kubernetes.io/name': 'ppn', 'app.kubernetes.io/component': 'authority' },
    },
    spec: { groups },
  }
  return new Map([[`${FOLDER}/prometheus-rule.yaml`, HEAD + stringify(rule, { lineWidth: 120 })]])
}
